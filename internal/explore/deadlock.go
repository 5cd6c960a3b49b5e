package explore

import "context"

// Hastener returns a function that makes a session of PostgreSQL look for a deadlock as soon as it
// waits. ask sends statements on the session itself.
//
// A session looks for a deadlock once, when it has waited for deadlock_timeout. So in production
// the victim is the session that began to wait first, or whose timer is late. A schedule needs the
// same victim each time. If only the session whose statement closes the circle looks at once, it is
// the victim, because there was no circle when all others began to wait.
//
// Only a superuser may set the timeout. For others Hasten changes nothing.
func Hastener(ask Query) func(ctx context.Context) (undo func(ctx context.Context)) {
	return func(ctx context.Context) func(ctx context.Context) {
		// Neither SHOW nor SET takes a snapshot, so the transaction sees what it would have seen.
		rows, err := ask(ctx, "show is_superuser")
		if err != nil || len(rows) == 0 || rows[0][0] != "on" {
			return nil
		}
		if _, err := ask(ctx, "set deadlock_timeout = '1ms'"); err != nil {
			return nil
		}
		return func(ctx context.Context) {
			_, _ = ask(ctx, "reset deadlock_timeout") // if the transaction has failed, its end resets it
		}
	}
}
