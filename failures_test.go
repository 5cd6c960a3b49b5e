package repaint_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
)

// asleep returns a function that only its context ends. wrap makes its error.
func asleep(i int, wrap func(i int, err error) error) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		return 0, wrap(i, repaint.Sleep(ctx, time.Hour))
	}
}

func TestEndOfTheContextOfManyIsSaidOnce(t *testing.T) {
	const n = 1000
	all := map[string]func(ctx context.Context, fns []func(context.Context) (int, error)) error{
		"Gather": func(ctx context.Context, fns []func(context.Context) (int, error)) error {
			_, err := repaint.Gather(ctx, fns...)
			return err
		},
		"First": func(ctx context.Context, fns []func(context.Context) (int, error)) error {
			_, err := repaint.First(ctx, fns...)
			return err
		},
		"Group": func(ctx context.Context, fns []func(context.Context) (int, error)) error {
			g := repaint.NewGroup(ctx)
			for _, fn := range fns {
				g.Go(func(ctx context.Context) error { _, err := fn(ctx); return err })
			}
			return g.Wait()
		},
	}
	for what, of := range all {
		t.Run(what, func(t *testing.T) {
			inBothColours(t, func(t *testing.T, ctx context.Context) {
				with := func(makeContext func(context.Context) (context.Context, func()), wrap func(i int, err error) error) error {
					ctx, cancel := makeContext(ctx)
					defer cancel()
					fns := make([]func(context.Context) (int, error), n)
					for i := range fns {
						fns[i] = asleep(i, wrap)
					}
					return of(ctx, fns)
				}
				plain := func(_ int, err error) error { return err }
				timeout := func(ctx context.Context) (context.Context, func()) {
					return repaint.WithTimeout(ctx, time.Millisecond)
				}
				err := with(timeout, plain)
				require.EqualError(t, err, context.DeadlineExceeded.Error())

				withCause := func(ctx context.Context) (context.Context, func()) {
					return context.WithTimeoutCause(ctx, time.Millisecond, errBoom)
				}
				err = with(withCause, plain)
				require.EqualError(t, err, "context deadline exceeded: boom")
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, errBoom)

				err = with(timeout, func(i int, err error) error {
					if i == n/2 {
						err = errors.Join(err, &fs.PathError{Op: "open", Path: "settings", Err: fs.ErrNotExist})
					}
					return fmt.Errorf("function %d: %w", i, err)
				})
				lines := strings.Split(err.Error(), "\n")
				require.Len(t, lines, 2, "%s", err)
				require.Regexp(t, `^function \d+: context deadline exceeded$`, lines[0])
				require.Equal(t, "and 999 more, for the same end of the context", lines[1])
				require.ErrorIs(t, err, context.DeadlineExceeded)
				var path *fs.PathError
				require.ErrorAs(t, err, &path, "nothing is lost")

				err = with(timeout, func(i int, err error) error {
					if i%2 == 0 {
						return errBoom
					}
					return err
				})
				require.ElementsMatch(t, []string{"boom", "context deadline exceeded"}, strings.Split(err.Error(), "\n"))
			})
		})
	}
}

// If a function waits with a deadline of its own, the group's end doesn't hide that deadline's
// error.
func TestDeadlinesOfTheFunctionsThemselvesAreSaid(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		impatient := func(name string) func(ctx context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				ctx, cancel := repaint.WithTimeout(context.WithoutCancel(ctx), time.Millisecond)
				defer cancel()
				return 0, fmt.Errorf("%s: %w", name, repaint.Sleep(ctx, time.Hour))
			}
		}
		_, err := repaint.Gather(ctx, impatient("one"), impatient("two"))
		require.ElementsMatch(t, []string{"one: context deadline exceeded", "two: context deadline exceeded"}, strings.Split(err.Error(), "\n"))
	})
}

// An error that can't be compared causes no panic.
func TestErrorsThatCanNotBeComparedAreJoined(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		_, err := repaint.Gather(ctx,
			func(context.Context) (int, error) { return 0, manyErrors{errBoom} },
			func(ctx context.Context) (int, error) {
				_ = repaint.Sleep(ctx, time.Millisecond)
				return 0, manyErrors{errBoom}
			})
		require.EqualError(t, err, "many: boom")
		require.ErrorIs(t, err, errBoom)
	})
}

type manyErrors []error

func (e manyErrors) Error() string   { return "many: " + errors.Join(e...).Error() }
func (e manyErrors) Unwrap() []error { return e }

func TestCancelThatPassesManyAwaitsIsSaidOnce(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var innermost error
		var nested func(depth int) func(context.Context) (int, error)
		nested = func(depth int) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) {
				if depth == 0 {
					innermost = repaint.Sleep(ctx, time.Hour)
					return 0, innermost
				}
				// The task learns of the end of ctx only because the code that awaits it cancels it.
				return repaint.Await(ctx, repaint.Spawn(context.WithoutCancel(ctx), nested(depth-1)))
			}
		}
		for cause, text := range map[error]string{
			errBoom:                  "context canceled: boom",
			context.Canceled:         "context canceled",
			context.DeadlineExceeded: "context canceled: context deadline exceeded",
		} {
			outermost := repaint.Spawn(ctx, nested(5))
			require.NoError(t, repaint.Sleep(ctx, 1))
			outermost.Cancel(cause)
			_, err := repaint.Await(ctx, outermost)
			require.EqualError(t, err, text)
			require.NoError(t, repaint.Sleep(ctx, 1), "the others end, one after the other")
			require.EqualError(t, innermost, text)
			require.ErrorIs(t, innermost, context.Canceled)
			require.ErrorIs(t, innermost, cause)
		}
	})
}
