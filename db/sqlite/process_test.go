package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// These variables tell a child process of the test which file to lock, and how.
const lockEnv, lockHowEnv = "REPAINT_TEST_LOCK", "REPAINT_TEST_LOCK_HOW"

// holdLock is the child process: it holds the lock until its input ends.
func holdLock(t *testing.T) {
	ctx := t.Context()
	e, err := db.Open(ctx, os.Getenv(lockEnv))
	require.NoError(t, err)
	text, opts := "insert into t values (-1)", []db.TxOption(nil)
	if os.Getenv(lockHowEnv) == "reader" {
		text, opts = "select * from t", []db.TxOption{db.ReadOnly()}
	}
	tx, err := e.BeginTx(ctx, opts...)
	require.NoError(t, err)
	_, err = tx.Query(ctx, text)
	require.NoError(t, err)
	fmt.Println("\nlocked")
	_, err = io.Copy(io.Discard, os.Stdin)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback(ctx))
	require.NoError(t, e.Close(ctx))
}

// lockElsewhere locks the file in another process until release is called.
func lockElsewhere(t *testing.T, url, how string) (release func()) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestAFileThatAnotherProcessHasLocked$", "-test.v")
	cmd.Env = append(os.Environ(), lockEnv+"="+url, lockHowEnv+"="+how)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	scan := bufio.NewScanner(out)
	for scan.Scan() && scan.Text() != "locked" {
	}
	require.Equal(t, "locked", scan.Text())
	return func() {
		require.NoError(t, in.Close())
		for scan.Scan() {
		}
		require.NoError(t, cmd.Wait())
	}
}

// On a file that another process has locked, each way to begin, commit, roll back and close ends by
// the busy_timeout or the context, with the matching condition. It works again after the lock is
// released.
func TestAFileThatAnotherProcessHasLocked(t *testing.T) {
	if os.Getenv(lockEnv) != "" {
		holdLock(t)
		return
	}
	insert := func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, "insert into t values (1)")
		return err
	}
	calls := []struct {
		name, how string // how the other process holds the lock
		call      func(ctx, lasting context.Context, e *db.Engine) error
	}{
		{"a statement", "writer", func(ctx, _ context.Context, e *db.Engine) error { return insert(ctx, e) }},
		{"a statement of a Conn", "writer", func(ctx, lasting context.Context, e *db.Engine) error {
			c, err := e.Connect(lasting)
			if err != nil {
				return fmt.Errorf("unexpected: %v", err)
			}
			defer c.Close()
			return insert(ctx, c)
		}},
		{"a transaction's first statement", "writer", func(ctx, lasting context.Context, e *db.Engine) error {
			tx, err := e.BeginTx(lasting)
			if err != nil {
				return fmt.Errorf("unexpected: %v", err)
			}
			defer tx.Rollback(lasting)
			return insert(ctx, tx)
		}},
		{"InTx", "writer", func(ctx, _ context.Context, e *db.Engine) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return insert(ctx, tx) })
		}},
		{"a savepoint first", "writer", func(ctx, _ context.Context, e *db.Engine) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return insert(ctx, tx) })
			})
		}},
		{"AutoBegin", "writer", func(ctx, lasting context.Context, e *db.Engine) error {
			c, err := e.Connect(lasting, db.AutoBegin())
			if err != nil {
				return fmt.Errorf("unexpected: %v", err)
			}
			defer c.Close()
			return insert(ctx, c)
		}},
		{"Commit", "reader", func(ctx, lasting context.Context, e *db.Engine) error {
			tx, err := e.BeginTx(lasting)
			if err == nil {
				err = insert(lasting, tx)
			}
			if err != nil {
				return fmt.Errorf("unexpected: %v", err)
			}
			defer tx.Rollback(lasting)
			return tx.Commit(ctx)
		}},
		{"Commit of a Conn", "reader", func(ctx, lasting context.Context, e *db.Engine) error {
			c, err := e.Connect(lasting, db.AutoBegin())
			if err == nil {
				defer c.Close()
				err = insert(lasting, c)
			}
			if err != nil {
				return fmt.Errorf("unexpected: %v", err)
			}
			return c.Commit(ctx)
		}},
		{"a statement that commits by itself", "reader", func(ctx, _ context.Context, e *db.Engine) error { return insert(ctx, e) }},
	}
	for limit, l := range map[string]struct {
		option string
		within time.Duration
		want   error
		hows   []string // a commit outlasts its context: the busy_timeout alone ends its wait for a reader
	}{
		"busy_timeout": {"&busy_timeout=20ms", time.Hour, db.ErrBusy, []string{"writer", "reader"}},
		"deadline":     {"&busy_timeout=1h", 50 * time.Millisecond, context.DeadlineExceeded, []string{"writer"}},
	} {
		t.Run(limit, func(t *testing.T) {
			dbtest.BothColours(t, func(t *testing.T, lasting context.Context, c dbtest.Colour) {
				for _, how := range l.hows {
					url := dbtest.File(t) + "&journal_mode=delete"
					e := dbtest.Open(t, lasting, url+l.option)
					dbtest.Exec(t, lasting, e, "create table t (n integer)")
					release := lockElsewhere(t, url, how)
					for _, way := range calls {
						if way.how != how {
							continue
						}
						ctx, cancel := context.WithTimeout(lasting, l.within)
						begin := time.Now()
						err := way.call(ctx, lasting, e)
						cancel()
						require.ErrorIs(t, err, l.want, way.name)
						require.Less(t, time.Since(begin), 30*time.Second, way.name)
					}
					// None of these calls waits for the lock.
					tx, err := e.BeginTx(lasting)
					require.NoError(t, err)
					require.NoError(t, tx.Rollback(lasting))
					conn, err := e.Connect(lasting)
					require.NoError(t, err)
					require.NoError(t, conn.Close())
					release()
					require.NoError(t, insert(lasting, e))
					n, err := db.Scalar[int](lasting, e, "select count(*) from t")
					require.NoError(t, err)
					require.Equal(t, 1, n, "nothing else was committed")
					require.NoError(t, e.Close(lasting))
				}
			})
		})
	}
}
