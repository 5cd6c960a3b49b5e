package db_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/loop"
)

// errPanic is the value with which the functions of these tests panic.
var errPanic = errors.New("a function of the caller's panicked")

// leave are the ways in which a function may end other than by returning.
var leave = map[string]func(){
	"panic":  func() { panic(errPanic) },
	"goexit": runtime.Goexit,
}

// unwound calls fn in a goroutine or a task of its own. It returns how fn ended: "panic" if fn
// panicked with errPanic, "goexit", or "returned".
func unwound(ctx context.Context, c dbtest.Colour, fn func(ctx context.Context)) string {
	how := "goexit"
	body := func(ctx context.Context) {
		defer func() {
			switch r := recover(); {
			case r == nil:
			case r == any(errPanic):
				how = "panic"
			default:
				var p *loop.PanicError
				if err, ok := r.(error); !ok || !errors.As(err, &p) || !errors.Is(err, errPanic) {
					panic(r)
				}
				how = "panic"
			}
		}()
		fn(ctx)
		how = "returned"
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if !c.Loop {
			body(ctx)
			return
		}
		// The task has a loop of its own, because Goexit also ends the caller that waits for the
		// task.
		_ = repaint.Run(ctx, func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				body(ctx)
				return 0, nil
			}))
			return err
		})
	}()
	<-done
	return how
}

// leaver is a value whose methods leave once it is armed.
type leaver struct {
	armed *atomic.Bool
	leave func()
}

func (l leaver) Value() (driver.Value, error) {
	if l.armed.Swap(false) {
		l.leave()
	}
	return "value", nil
}

type leavingScanner struct{ leaver }

func (l *leavingScanner) Scan(any) error {
	if scannerArmed.Swap(false) {
		scannerLeave()
	}
	return nil
}

// All and Each make leavingScanners themselves, so these variables say what one does.
var (
	scannerArmed atomic.Bool
	scannerLeave func()
)

// handlerFunc is a slog.Handler.
type handlerFunc func(r slog.Record)

func (h handlerFunc) Enabled(context.Context, slog.Level) bool { return true }
func (h handlerFunc) Handle(_ context.Context, r slog.Record) error {
	h(r)
	return nil
}
func (h handlerFunc) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h handlerFunc) WithGroup(string) slog.Handler      { return h }

func TestWhatACallersFunctionPanicsWithReachesItAndNothingIsLost(t *testing.T) {
	const (
		read  = "select value from items"
		write = "insert into items(value) values ('x')"
		wrong = "select nope from items"
	)
	inTx := func(do func(ctx context.Context, tx *db.Tx) error) func(ctx context.Context, e *db.Engine) error {
		return func(ctx context.Context, e *db.Engine) error { return e.InTx(ctx, do) }
	}
	onConn := func(do func(ctx context.Context, c *db.Conn) error) func(ctx context.Context, e *db.Engine) error {
		return func(ctx context.Context, e *db.Engine) error {
			c, err := e.Connect(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			return do(ctx, c)
		}
	}
	exec := func(text string) func(ctx context.Context, e *db.Engine) error {
		return func(ctx context.Context, e *db.Engine) error {
			_, err := e.Exec(ctx, text)
			return err
		}
	}
	query := func(text string) func(ctx context.Context, e *db.Engine) error {
		return func(ctx context.Context, e *db.Engine) error {
			_, err := e.Query(ctx, text)
			return err
		}
	}
	// readAll closes nothing itself: rows that are read to their end are closed.
	readAll := func(ctx context.Context, e *db.Engine) error {
		rows, err := e.Stream(ctx, read)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return rows.Err()
	}
	// Together these actions make the Engine call every function that it has.
	actions := map[string]func(ctx context.Context, e *db.Engine) error{
		"exec": exec(write), "query": query(read), "error": query(wrong), "stream": readAll,
		"stream of an error": func(ctx context.Context, e *db.Engine) error {
			rows, err := e.Stream(ctx, wrong)
			if err == nil {
				_ = rows.Close()
			}
			return err
		},
		"tx": inTx(func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Exec(ctx, write); err != nil {
				return err
			}
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Query(ctx, read)
				return err
			})
		}),
		"read-only tx": func(ctx context.Context, e *db.Engine) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Query(ctx, read)
				return err
			}, db.ReadOnly())
		},
		"tx that fails": inTx(func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, wrong)
			return err
		}),
		"tx of a conn": onConn(func(ctx context.Context, c *db.Conn) error {
			if _, err := c.Exec(ctx, write); err != nil {
				return err
			}
			return c.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, write)
				return err
			})
		}),
		"many": func(ctx context.Context, e *db.Engine) error {
			_, err := db.ExecMany(ctx, e, "insert into items(value) values (:value)", []map[string]any{{"value": "m"}, {"value": "n"}})
			return err
		},
	}
	var armed atomic.Bool // makes the next called function leave
	var how func()
	now := func() {
		if armed.Swap(false) {
			how()
		}
	}
	ignore := func(err error) { _ = err }
	for name, events := range map[string]db.Option{
		"Connect": db.OnEvents(db.Events{Connect: func(context.Context, *db.Conn) error { now(); return nil }}),
		"Checkout": db.OnEvents(db.Events{
			Checkout: func(context.Context, db.ConnInfo) { now() },
		}),
		"Checkin":       db.OnEvents(db.Events{Checkin: func(context.Context, db.ConnInfo) { now() }}),
		"BeforeExecute": db.OnEvents(db.Events{BeforeExecute: func(context.Context, *db.Execution) error { now(); return nil }}),
		"AfterExecute":  db.OnEvents(db.Events{AfterExecute: func(context.Context, *db.Execution) { now() }}),
		"Begin":         db.OnEvents(db.Events{Begin: func(context.Context, db.TxEvent) { now() }}),
		"Savepoint":     db.OnEvents(db.Events{Savepoint: func(context.Context, db.TxEvent) { now() }}),
		"Commit":        db.OnEvents(db.Events{Commit: func(context.Context, db.TxEvent) { now() }}),
		"Rollback":      db.OnEvents(db.Events{Rollback: func(context.Context, db.TxEvent) { now() }}),
		"Error":         db.OnEvents(db.Events{Error: func(context.Context, *db.Error) error { now(); return nil }}),
		"Log":           db.Log(slog.New(handlerFunc(func(slog.Record) { now() }))),
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
				for _, where := range []string{"memory", "file"} {
					url := "sqlite://"
					if where == "file" {
						url = dbtest.File(t)
					}
					balance := atomic.Int64{}
					gauge := db.OnEvents(db.Events{
						Checkout: func(context.Context, db.ConnInfo) { balance.Add(1) },
						Checkin:  func(context.Context, db.ConnInfo) { balance.Add(-1) },
					})
					opts := []db.Option{gauge, events, db.PoolSize(1)}
					if name == "Connect" { // so that connections are made
						opts = append(opts, db.MaxLifetime(time.Nanosecond))
					}
					e := dbtest.Open(t, ctx, url, opts...)
					dbtest.Exec(t, ctx, e, items, write, write)
					called := 0
					for action, do := range actions {
						for ending, leaves := range leave {
							how = leaves
							armed.Store(true)
							got := unwound(ctx, c, func(ctx context.Context) { ignore(do(ctx, e)) })
							if armed.Swap(false) {
								require.Equal(t, "returned", got, action)
								continue // this action doesn't call the function
							}
							called++
							require.Equal(t, ending, got, "%s, %s", action, where)
							requireAllThere(t, ctx, e, action)
							require.Zero(t, balance.Load(), action)
						}
					}
					require.Positive(t, called)
				}
			})
		})
	}
}

// requireAllThere checks that the Engine, whose pool has one connection, still has that connection,
// and the turn to write.
func requireAllThere(t *testing.T, ctx context.Context, e *db.Engine, what string) {
	t.Helper()
	short, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for e.Stats().InUse != 0 { // an abandoned connection is being closed
		require.NoError(t, repaint.Sleep(short, time.Millisecond), what)
	}
	conn, err := e.Connect(short)
	require.NoError(t, err, what)
	_, err = conn.Exec(short, "update items set value = value")
	require.NoError(t, err, what)
	require.NoError(t, conn.Close())
	_, err = e.Exec(short, "update items set value = value")
	require.NoError(t, err, what)
	_, err = e.Query(short, "select * from items")
	require.NoError(t, err, what)
}

func TestAPanicOfAnArgumentCostsNeitherConnNorTransaction(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items, "insert into items(value) values ('a')")
		for ending, leaves := range leave {
			armed := &atomic.Bool{}
			arg := db.Named("v", leaver{armed, leaves})
			const insert = "insert into items(value) values (:v)"
			leaveIn := func(q streamer, what string) {
				for name, call := range map[string]func(ctx context.Context) error{
					"exec": func(ctx context.Context) error {
						_, err := q.Exec(ctx, insert, arg)
						return err
					},
					"query": func(ctx context.Context) error {
						_, err := q.Query(ctx, "select :v", arg)
						return err
					},
					"stream": func(ctx context.Context) error {
						_, err := q.Stream(ctx, "select :v", arg)
						return err
					},
				} {
					armed.Store(true)
					require.Equal(t, ending, unwound(ctx, c, func(ctx context.Context) { _ = call(ctx) }), "%s in %s", name, what)
				}
			}
			leaveIn(e, "engine")
			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			dbtest.Exec(t, ctx, conn, "create temp table mine(v)") // the connection must be the same afterwards
			leaveIn(conn, "conn")
			dbtest.Exec(t, ctx, conn, "insert into mine values (1)")
			tx, err := conn.BeginTx(ctx)
			require.NoError(t, err)
			leaveIn(tx, "tx that hasn't begun")
			_, err = tx.Exec(ctx, insert, arg)
			require.NoError(t, err)
			leaveIn(tx, "tx")
			require.NoError(t, tx.Commit(ctx))
			require.NoError(t, conn.Close())

			own, err := e.BeginTx(ctx)
			require.NoError(t, err)
			leaveIn(own, "tx of the engine that hasn't begun")
			_, err = own.Exec(ctx, insert, arg)
			require.NoError(t, err)
			leaveIn(own, "tx of the engine")
			require.NoError(t, own.Commit(ctx))
			requireAllThere(t, ctx, e, "arguments")
		}
		requireItems(t, ctx, e, 5)
	})
}

func TestAPanicInAFunctionOfATransactionRollsItBack(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		for ending, leaves := range leave {
			body := func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.Exec(ctx, "insert into items(value) values ('x')"); err != nil {
					return err
				}
				leaves()
				return nil
			}
			for name, call := range map[string]func(ctx context.Context) error{
				"begin": func(ctx context.Context) error { return e.InTx(ctx, body) },
				"savepoint": func(ctx context.Context) error {
					return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return tx.InTx(ctx, body) })
				},
				"retry": func(ctx context.Context) error { return db.Retry(ctx, e, body) },
				"retrying": func(ctx context.Context) error {
					return db.RetryPolicy{Retrying: func(int, error) { leaves() }}.InTx(ctx, e, func(context.Context, *db.Tx) error { return db.ErrConflict })
				},
				"raw": func(ctx context.Context) error {
					return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						return tx.Raw(ctx, func(context.Context, any) error { leaves(); return nil })
					})
				},
				"run sync": func(ctx context.Context) error {
					if !c.Loop {
						leaves()
					}
					_, err := repaint.Await(ctx, db.RunSync(ctx, e.Async(), func(ctx context.Context, conn *db.Conn) (int, error) {
						return 0, conn.InTx(ctx, body)
					}))
					if errors.Is(err, loop.ErrGoexit) { // the call is a task, whose future returns this
						runtime.Goexit()
					}
					return err
				},
			} {
				require.Equal(t, ending, unwound(ctx, c, func(ctx context.Context) { _ = call(ctx) }), name)
				requireAllThere(t, ctx, e, name)
				requireItems(t, ctx, e, 0)
			}
		}
	})
}

func TestALoopOverRowsThatIsLeftGivesTheConnectionBack(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		_, err := db.ExecMany(ctx, e, "insert into items(value) values (:value)", make([]struct{ Value string }, 3000))
		require.NoError(t, err)
		leaves := map[string]func(){"returned": nil}
		for ending, fn := range leave {
			leaves[ending] = fn
		}
		for ending, fn := range leaves {
			for name, loop := range map[string]func(rows *db.Rows){
				"each": func(rows *db.Rows) {
					for range db.Each[string](rows) {
						if fn == nil {
							break
						}
						fn()
					}
				},
				"each, later": func(rows *db.Rows) {
					n := 0
					for range db.Each[string](rows) {
						if n++; n < 1500 {
							continue
						}
						if fn == nil {
							break
						}
						fn()
					}
				},
				"partitions": func(rows *db.Rows) {
					for range db.Partitions[string](rows, 2) {
						if fn == nil {
							break
						}
						fn()
					}
				},
				"a scanner": func(rows *db.Rows) {
					scannerLeave = fn
					scannerArmed.Store(fn != nil)
					for range db.Each[leavingScanner](rows) {
						break
					}
				},
			} {
				require.Equal(t, ending, unwound(ctx, c, func(ctx context.Context) {
					rows, err := e.Stream(ctx, "select value from items")
					require.NoError(t, err)
					loop(rows)
				}), name)
				requireAllThere(t, ctx, e, name)
				// On a Conn or Tx, the next statement must work at once.
				require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					rows, err := tx.Stream(ctx, "select value from items")
					require.NoError(t, err)
					require.Equal(t, ending, unwound(ctx, c, func(context.Context) { loop(rows) }), name)
					_, err = tx.Query(ctx, "select 1")
					return err
				}), name)
			}
		}
		require.Zero(t, e.Stats().Discarded, "and it is the same connection")
	})
}
