package repainttest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/repainttest"
)

// childVariable names the exploration that TestChild runs in a process of its own, because it is
// meant to fail.
const childVariable = "REPAINTTEST_CHILD"

// TestChild is run by child.
func TestChild(t *testing.T) {
	name := os.Getenv(childVariable)
	if name == "" {
		t.Skip("is run by other tests")
	}
	children[name](t)
}

// child runs one of the children in the directory, and returns what it has printed and whether it
// has passed.
func child(t *testing.T, name, dir string, env ...string) (out string, passed bool) {
	t.Helper()
	require.Contains(t, children, name)
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), childVariable+"="+name), env...)
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}

// scheduleIn returns the REPAINT_SCHEDULE=… that the output says to repeat with.
func scheduleIn(t *testing.T, out string) string {
	t.Helper()
	m := regexp.MustCompile(`(REPAINT_SCHEDULE)='([^']*)' go test -run '\^TestChild\$'`).FindStringSubmatch(out)
	require.NotNil(t, m, out)
	return m[1] + "=" + m[2]
}

// tasks runs functions as tasks and waits for them.
func tasks(ctx context.Context, fns ...func(ctx context.Context) error) error {
	g := repaint.NewGroup(ctx)
	for _, fn := range fns {
		g.Go(fn)
	}
	return g.Wait()
}

// yields yields n times.
func yields(ctx context.Context, n int) error {
	for range n {
		if err := repaint.Sleep(ctx, 0); err != nil {
			return err
		}
	}
	return nil
}

// figure5 fails if one task makes 20 steps before another makes its first.
func figure5(t *testing.T, ctx context.Context) {
	done := false
	require.NoError(t, tasks(ctx,
		func(ctx context.Context) error {
			err := yields(ctx, 20)
			done = true
			return err
		},
		func(ctx context.Context) error {
			err := yields(ctx, 1)
			if done {
				t.Error("overtaken by 20 steps")
			}
			return errors.Join(err, yields(ctx, 20))
		}))
}

// lostUpdate fails if two of its tasks read before either has written. Others have nothing to do
// with it.
func lostUpdate(others int) func(t *testing.T, ctx context.Context) {
	return func(t *testing.T, ctx context.Context) {
		balance := 100
		withdraw := func(ctx context.Context) error {
			if err := yields(ctx, 1); err != nil {
				return err
			}
			read := balance
			if err := yields(ctx, 1); err != nil {
				return err
			}
			balance = read - 60
			return nil
		}
		all := []func(context.Context) error{withdraw, withdraw}
		for range others {
			all = append(all, func(ctx context.Context) error { return yields(ctx, 3) })
		}
		require.NoError(t, tasks(ctx, all...))
		if balance != -20 {
			t.Errorf("the balance is %d", balance)
		}
	}
}

var runs int // of a child that counts them

var children = map[string]func(t *testing.T){
	"uniform figure5": func(t *testing.T) {
		repainttest.Explore(t, 500, figure5, repainttest.Uniform())
	},
	"pct figure5": func(t *testing.T) {
		repainttest.Explore(t, 60, figure5, repainttest.PCT(1))
	},
	"portfolio figure5": func(t *testing.T) {
		repainttest.Explore(t, 200, figure5)
	},
	"lost update": func(t *testing.T) {
		repainttest.Explore(t, 200, lostUpdate(4))
	},
	"lost update, with a page": func(t *testing.T) {
		repainttest.Explore(t, 200, lostUpdate(1), repainttest.Page("lost.HTML"))
	},
	"no choice, with a page": func(t *testing.T) {
		repainttest.Explore(t, 10, func(t *testing.T, ctx context.Context) { require.NoError(t, yields(ctx, 3)) }, repainttest.Page("none.html"))
	},
	"lost update, changed": func(t *testing.T) {
		repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
			require.NoError(t, yields(ctx, 2))
			lostUpdate(5)(t, ctx)
		})
	},
	"lost update, mended": func(t *testing.T) {
		repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
			balance, lock := 100, new(coop.Mutex)
			withdraw := func(ctx context.Context) error {
				if err := yields(ctx, 1); err != nil {
					return err
				}
				if err := lock.Lock(ctx); err != nil {
					return err
				}
				defer lock.Unlock()
				read := balance
				err := yields(ctx, 1)
				balance = read - 60
				return err
			}
			require.NoError(t, tasks(ctx, withdraw, withdraw))
			require.Equal(t, -20, balance)
		})
	},
	"seventy": func(t *testing.T) {
		repainttest.Explore(t, 1000, func(t *testing.T, ctx context.Context) {
			four := func(ctx context.Context) error { return yields(ctx, 4) }
			require.NoError(t, tasks(ctx, four, four))
		}, repainttest.Exhaustive())
	},
	"no choice": func(t *testing.T) {
		repainttest.Explore(t, 1000, func(t *testing.T, ctx context.Context) {
			require.NoError(t, yields(ctx, 3))
		})
	},
	"not repeatable": func(t *testing.T) {
		repainttest.Explore(t, 10, func(t *testing.T, ctx context.Context) {
			runs++
			n := runs
			require.NoError(t, tasks(ctx,
				func(ctx context.Context) error { return yields(ctx, 2) },
				func(ctx context.Context) error {
					if n%2 == 0 {
						return repaint.Sleep(ctx, time.Second)
					}
					return yields(ctx, 1)
				}))
		}, repainttest.CheckRepeats())
	},
	"sometimes": func(t *testing.T) {
		repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
			order := ""
			note := func(name string) func(ctx context.Context) error {
				return func(ctx context.Context) error {
					err := yields(ctx, 1)
					order += name
					return err
				}
			}
			require.NoError(t, tasks(ctx, note("a"), note("b")))
			repainttest.Sometimes(t, "b came first", order == "ba")
			repainttest.Sometimes(t, "c came first", order[0] == 'c')
		})
	},
	"panic": func(t *testing.T) {
		repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
			last := ""
			require.NoError(t, tasks(ctx,
				func(ctx context.Context) error { last = "a"; return yields(ctx, 1) },
				func(ctx context.Context) error {
					err := yields(ctx, 1)
					last = "b"
					return err
				},
				func(ctx context.Context) error {
					err := yields(ctx, 1)
					if last == "b" {
						panic("b came before c")
					}
					return err
				}))
		})
	},
	"broken reset": func(t *testing.T) {
		repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
			t.Error("it ran")
		}, repainttest.Fresh(func(context.Context) error { return errors.New("the disk is full") }))
	},
	// Each task waits at two places. Both come to the first one when they are spawned.
	"pairs": func(t *testing.T) {
		repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
			require.NoError(t, tasks(ctx,
				func(ctx context.Context) error {
					first := repaint.Sleep(ctx, 0)
					return errors.Join(first, repaint.Sleep(ctx, 0))
				},
				func(ctx context.Context) error {
					first := repaint.Sleep(ctx, 0)
					return errors.Join(first, repaint.Sleep(ctx, 0))
				}))
		})
	},
	"no schedules": func(t *testing.T) {
		repainttest.Explore(t, 0, figure5)
	},
	"own chooser": func(t *testing.T) {
		repainttest.Explore(t, 100, figure5, seeded)
	},
}
