package explore

import "context"

// Hastener returns what has a session of PostgreSQL look for a deadlock at once when it waits. ask
// is on the session itself.
//
// A session looks for a deadlock once, when it has waited for deadlock_timeout, so in production
// the victim is who began to wait first, or whose timer is late. A schedule needs the same one each
// time. If only the session looks at once whose statement closes the circle, it is the victim,
// because all others began to wait when there was no circle.
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
			_, _ = ask(ctx, "reset deadlock_timeout") // if the transaction has failed, its end does that
		}
	}
}
