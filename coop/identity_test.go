package coop_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
)

// In a deadlock the dump names the tools and says what each caller wants of them.
func TestDeadlockNamesWhatTasksWaitFor(t *testing.T) {
	for want, wait := range map[string]func(ctx context.Context) error{
		`waits for an item of a coop.Queue named "mail"`: func(ctx context.Context) error {
			_, err := coop.NewQueue[int](0, coop.Named("mail")).Get(ctx)
			return err
		},
		"waits for room in a coop.Queue": func(ctx context.Context) error {
			q := coop.NewQueue[int](1)
			q.TryPut(1)
			return q.Put(ctx, 2)
		},
		"waits for the work on the items of a coop.Queue": func(ctx context.Context) error {
			q := coop.NewQueue[int](1)
			q.TryPut(1)
			return q.Join(ctx)
		},
		`waits for a coop.Mutex named "accounts"`: func(ctx context.Context) error {
			m := coop.NewMutex(coop.Named("accounts"))
			m.TryLock()
			return m.Lock(ctx)
		},
		"waits for a coop.RWMutex, to write": func(ctx context.Context) error {
			m := coop.NewRWMutex()
			m.TryRLock()
			return m.Lock(ctx)
		},
		"waits for a coop.RWMutex, to read": func(ctx context.Context) error {
			m := coop.NewRWMutex()
			m.TryLock()
			return m.RLock(ctx)
		},
		"waits for a coop.Semaphore": func(ctx context.Context) error {
			s := coop.NewSemaphore(2)
			s.TryAcquire(1)
			return s.Acquire(ctx, 2)
		},
		"waits for a coop.Event": func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) },
		"waits for a coop.Cond": func(ctx context.Context) error {
			m := coop.NewMutex()
			m.TryLock()
			return coop.NewCond(m).Wait(ctx)
		},
		"waits for the others at a coop.Barrier": func(ctx context.Context) error {
			_, err := coop.NewBarrier(2).Wait(ctx)
			return err
		},
		"waits for the call of a coop.Once": func(ctx context.Context) error {
			o := coop.NewOnce()
			return o.Do(ctx, func(ctx context.Context) error {
				return o.Do(ctx, func(ctx context.Context) error { return nil })
			})
		},
		`waits for a call that a coop.Shared shares named "rates"`: func(ctx context.Context) error {
			s := coop.NewShared[string, int](coop.Named("rates"))
			_, err := s.Do(ctx, "EUR", func(ctx context.Context) (int, error) {
				return s.Do(ctx, "EUR", nil)
			})
			return err
		},
		`waits for a key of a coop.Loader named "authors"`: func(ctx context.Context) error {
			var l *coop.Loader[int, int]
			l = coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
				_, err := l.Load(ctx, keys[0]) // which is being loaded
				return nil, err
			}, coop.Named("authors"))
			_, err := l.Load(ctx, 1)
			return err
		},
	} {
		virtually(t, func(ctx context.Context) {
			task := spawn(ctx, wait)
			var deadlock *repaint.DeadlockError
			_, err := repaint.Await(ctx, task)
			require.True(t, errors.As(err, &deadlock))
			require.Contains(t, deadlock.Error(), want)
			task.Cancel(nil)
			require.True(t, errors.As(wait(ctx), &deadlock))
			require.Contains(t, deadlock.Waiting[0], want, "the main function is told, too")
		})
	}
}

// A wait for a tool that every goroutine may use is no deadlock, because another goroutine can end
// it.
func TestToolsForAllGoroutinesAreNoPartOfADeadlock(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var zero coop.Event
		for _, e := range []*coop.Event{&zero, coop.NewEvent(coop.Unbound())} {
			go e.Set()
			require.NoError(t, e.Wait(ctx))
		}
	})
}
