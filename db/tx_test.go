package db_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

const (
	insertItem = "insert into items(value) values (:value)"
	countItems = "select count(*) from items"
	// endless is a query that runs until it is interrupted.
	endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
)

func value(v string) any { return db.Named("value", v) }

func requireItems(t *testing.T, ctx context.Context, q db.Querier, want int, why ...any) {
	t.Helper()
	got, err := db.Scalar[int](ctx, q, countItems)
	require.NoError(t, err, why...)
	require.Equal(t, want, got, why...)
}

func TestBeginCommitsWhatFnDidAndRollsBackIfItFails(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, insertItem, value("a"))
			return err
		}))
		requireItems(t, ctx, e, 1)

		mine := errors.New("mine")
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, insertItem, value("b"))
			require.NoError(t, err)
			requireItems(t, ctx, tx, 2)
			return mine
		})
		require.True(t, err == mine, "fn's error comes back as it is")
		requireItems(t, ctx, e, 1)
		require.Zero(t, e.Stats().InUse)
	})
}

func TestBeginRollsBackOnPanicAndGoexit(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		require.PanicsWithValue(t, "mine", func() {
			_ = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
				panic("mine")
			})
		})
		requireItems(t, ctx, e, 0)
		require.Zero(t, e.Stats().InUse)

		if c.Loop {
			return // Goexit in a task also ends its creator, see repaint.Spawn
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
				exitGoroutine()
				return nil
			})
		}()
		<-ended
		requireItems(t, ctx, e, 0)
		require.Zero(t, e.Stats().InUse)
	})
}

func TestNestedTransactionsAreSavepoints(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		mine := errors.New("mine")
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "insert into items(value) values ('outer')")
			err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into items(value) values ('lost')")
				return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					dbtest.Exec(t, ctx, tx, "insert into items(value) values ('lost too')")
					return mine
				})
			})
			require.ErrorIs(t, err, mine)
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into items(value) values ('inner')")
				return nil
			})
		}))
		all, err := db.All[string](ctx, e, "select value from items order by id")
		require.NoError(t, err)
		require.Equal(t, []string{"outer", "inner"}, all)
	})
}

func TestOnlyTheInnermostTransactionCanBeUsed(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		outer, err := conn.BeginTx(ctx)
		require.NoError(t, err)
		_, err = conn.Exec(ctx, countItems)
		require.ErrorIs(t, err, db.ErrMisuse)
		require.ErrorContains(t, err, "use its Tx")
		_, err = conn.BeginTx(ctx)
		require.ErrorIs(t, err, db.ErrMisuse)

		inner, err := outer.BeginTx(ctx)
		require.NoError(t, err)
		_, err = outer.Exec(ctx, countItems)
		require.ErrorIs(t, err, db.ErrMisuse)
		require.ErrorIs(t, outer.Commit(ctx), db.ErrMisuse)
		dbtest.Exec(t, ctx, inner, "insert into items(value) values ('a')")
		require.NoError(t, outer.Rollback(ctx), "the outer rollback takes the inner one with it")
		_, err = inner.Exec(ctx, countItems)
		require.ErrorIs(t, err, db.ErrTxDone)
		requireItems(t, ctx, conn, 0, "the Conn is free again")
	})
}

func TestAnEndedTransactionRefusesEverythingAndRollbackCanBeDeferred(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		func() {
			tx, err := e.BeginTx(ctx)
			require.NoError(t, err)
			defer tx.Rollback(ctx)
			dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
			require.NoError(t, tx.Commit(ctx))

			_, err = tx.Exec(ctx, countItems)
			require.ErrorIs(t, err, db.ErrTxDone)
			require.ErrorIs(t, err, sql.ErrTxDone)
			require.ErrorIs(t, tx.QueryRow(ctx, countItems).Scan(new(int)), db.ErrTxDone)
			_, err = tx.BeginTx(ctx)
			require.ErrorIs(t, err, db.ErrTxDone)
			require.ErrorIs(t, tx.Commit(ctx), db.ErrTxDone)
			require.ErrorIs(t, tx.Rollback(ctx), db.ErrTxDone)
		}()
		requireItems(t, ctx, e, 1)
	})
}

func TestFnMayEndItsTransactionItself(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		for want, end := range []func(tx *db.Tx) error{
			func(tx *db.Tx) error { return tx.Rollback(ctx) },
			func(tx *db.Tx) error { return tx.Commit(ctx) },
		} {
			require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
				return end(tx)
			}))
			requireItems(t, ctx, e, want)
		}
	})
}

func TestAContextThatEndsInATransactionLeavesNothingHalfDone(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		why := errors.New("enough")
		for name, run := range map[string]func(ctx context.Context, cancel func(), tx *db.Tx) error{
			"before a statement": func(ctx context.Context, cancel func(), tx *db.Tx) error {
				cancel()
				_, err := tx.Exec(ctx, insertItem, value("b"))
				return err
			},
			"in a statement": func(ctx context.Context, cancel func(), tx *db.Tx) error {
				soon := c.Go(ctx, func(context.Context) error { cancelSoon(ctx, cancel); return nil })
				_, err := tx.Query(ctx, endless)
				_ = soon()
				return err
			},
			"in a write": func(ctx context.Context, cancel func(), tx *db.Tx) error {
				soon := c.Go(ctx, func(context.Context) error { cancelSoon(ctx, cancel); return nil })
				_, err := tx.Exec(ctx, "insert into items(value) "+endless)
				_ = soon()
				return err
			},
			"before the commit": func(ctx context.Context, cancel func(), tx *db.Tx) error {
				cancel()
				return nil
			},
		} {
			own, cancel := context.WithCancelCause(ctx)
			err := e.InTx(own, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
				return run(ctx, func() { cancel(why) }, tx)
			})
			require.ErrorIs(t, err, why, name)
			require.ErrorIs(t, err, context.Canceled, name)
			requireItems(t, ctx, e, 0, name)
			require.Zero(t, e.Stats().InUse, name)
			require.NoError(t, addAndSelect(ctx, e, "again"), name)
			dbtest.Exec(t, ctx, e, "delete from items")
		}
	})
}

// A cancelled write may or may not have taken effect. No caller may go on as if either were certain
// until the savepoint around the write is rolled back.
func TestACancelledWriteCanOnlyBeRolledBack(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{}
		e := dbtest.Open(t, ctx, f.Register())
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			short, cancel := context.WithCancel(ctx)
			f.OnDo = func(context.Context, *dbtest.FakeSession, *backend.Call) error { cancel(); return short.Err() }
			_, err := tx.Query(short, "read")
			require.ErrorIs(t, err, context.Canceled)
			f.OnDo = nil
			_, err = tx.Query(ctx, "read")
			require.NoError(t, err, "a cancelled read did nothing, or nothing that matters")

			nested, err := tx.BeginTx(ctx)
			require.NoError(t, err)
			short, cancel = context.WithCancel(ctx)
			f.OnDo = func(context.Context, *dbtest.FakeSession, *backend.Call) error { cancel(); return short.Err() }
			_, err = nested.Exec(short, "write")
			require.ErrorIs(t, err, context.Canceled)
			f.OnDo = nil
			_, err = nested.Exec(ctx, "read")
			require.ErrorIs(t, err, db.ErrTxFailed)
			require.ErrorIs(t, err, db.ErrTxDone)
			require.ErrorContains(t, err, "can only be rolled back")
			require.ErrorIs(t, nested.Commit(ctx), db.ErrTxFailed, "which rolls back")
			_, err = tx.Exec(ctx, "read")
			return err
		}))
		require.Equal(t, []string{"begin", "read", "read", "savepoint repaint_1", "write", "rollback to repaint_1", "read", "commit"}, f.Log())
	})
}

func TestAnErrorLeavesATransactionUsableUnlessTheDatabaseRolledItBack(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table u(v integer unique)", "insert into u values (1)")
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into u values (1)")
			require.ErrorIs(t, err, db.ErrUnique)
			_, err = tx.Exec(ctx, "insert into u values (2)")
			return err
		}))

		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "insert into u values (3)")
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "insert or rollback into u values (1)")
				require.ErrorIs(t, err, db.ErrUnique)
				// Without a transaction, this statement would commit by itself.
				_, err = tx.Exec(ctx, "insert into u values (4)")
				require.ErrorIs(t, err, db.ErrTxFailed)
				require.ErrorIs(t, err, db.ErrUnique, "it says what went before")
				return nil
			})
		})
		require.ErrorIs(t, err, db.ErrTxFailed)
		all, err := db.All[int](ctx, e, "select v from u order by v")
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, all)
	})
}

func TestAFailedCommitRollsBackAndLeavesTheConnUsable(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table a(id integer primary key)",
			"create table b(a integer references a deferrable initially deferred)")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		err = conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into b values (1)")
			return err
		})
		require.ErrorIs(t, err, db.ErrForeignKey)
		var op *db.Error
		require.ErrorAs(t, err, &op)
		require.Equal(t, "commit", op.Op)
		n, err := db.Scalar[int](ctx, conn, "select count(*) from b")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestAReadOnlyTransactionRefusesToWrite(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into items(value) values ('a')")
			require.ErrorIs(t, err, db.ErrReadOnly)
			err = tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "delete from items")
				return err
			})
			require.ErrorIs(t, err, db.ErrReadOnly, "nor in a savepoint")
			requireItems(t, ctx, tx, 0)
			return nil
		}, db.ReadOnly()))
	})
}

// SQLite itself would sometimes answer "database is locked".
func TestTransactionsThatReadAndThenWriteNeverConflict(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table counter(n integer)", "insert into counter values (0)")
		const n = 300
		require.NoError(t, c.Together(ctx, n, func(ctx context.Context, i int) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				was, err := db.Scalar[int](ctx, tx, "select n from counter")
				if err != nil {
					return err
				}
				_, err = tx.Exec(ctx, "update counter set n = :n", db.Named("n", was+1))
				return err
			})
		}))
		got, err := db.Scalar[int](ctx, e, "select n from counter")
		require.NoError(t, err)
		require.Equal(t, n, got)
	})
}

func TestReadersDontWaitForTheWriterOfAFile(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.File(t))
		dbtest.Exec(t, ctx, e, items, "insert into items(value) values ('a')")
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "insert into items(value) values ('b')")
			requireItems(t, ctx, e, 1, "a reader sees what is committed")
			return e.InTx(ctx, func(ctx context.Context, reader *db.Tx) error {
				requireItems(t, ctx, reader, 1)
				requireItems(t, ctx, tx, 2)
				return nil
			}, db.ReadOnly())
		}))
		requireItems(t, ctx, e, 2)
	})
}

func TestWritersWaitInLineAndTheirTimeoutNamesTheHolder(t *testing.T) {
	for _, where := range []string{"memory", "file"} {
		dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
			url := "sqlite://"
			if where == "file" {
				url = dbtest.File(t)
			}
			e := dbtest.Open(t, ctx, url, db.PoolTimeout(30e6))
			dbtest.Exec(t, ctx, e, items)
			require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				require.NoError(t, addAndSelect(ctx, e, "before"), "a transaction that has done nothing keeps nobody waiting")
				dbtest.Exec(t, ctx, tx, "select 1")
				_, err := e.Exec(ctx, insertItem, value("a"))
				require.ErrorIs(t, err, db.ErrBusy)
				require.ErrorContains(t, err, "the writer is a transaction")
				require.ErrorContains(t, err, "inside a transaction use its Tx")
				return nil
			}))
			require.NoError(t, addAndSelect(ctx, e, "later"))
			require.Zero(t, e.Stats().Waiting)
		})
	}
}

func TestTwoTasksCantUseOneTransactionAtTheSameTime(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			var running atomic.Bool
			other := c.Go(ctx, func(ctx context.Context) error {
				running.Store(true)
				return endlessQuery(own, tx)
			})
			for !running.Load() {
				_ = repaint.Sleep(ctx, 0)
			}
			var err error
			for err == nil { // the other task may not have got there yet
				_, err = tx.Exec(ctx, "select 1")
			}
			require.ErrorIs(t, err, db.ErrInUse)
			require.ErrorContains(t, err, "with recursive n(i)", "it says what the other one is doing")
			require.ErrorIs(t, tx.Commit(ctx), db.ErrInUse)
			require.ErrorIs(t, tx.Rollback(ctx), db.ErrInUse)
			cancel()
			require.ErrorIs(t, other(), context.Canceled)
			return nil
		})
		require.NoError(t, err)
		require.Zero(t, e.Stats().InUse)
	})
}

// While a task that fn started is still using the transaction, it mustn't be committed, nor its
// connection used by another caller.
func TestATransactionWhoseTaskIsStillRunningIsRolledBack(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		var forgotten func() error
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
			forgotten = c.Go(own, func(context.Context) error { return endlessQuery(own, tx) })
			for {
				if _, err := tx.Exec(ctx, "select 1"); errors.Is(err, db.ErrInUse) {
					return nil
				}
				_ = repaint.Sleep(ctx, 0)
			}
		})
		require.ErrorIs(t, err, db.ErrInUse)
		cancel()
		require.ErrorIs(t, forgotten(), context.Canceled)
		requireItems(t, ctx, e, 0)
		require.NoError(t, addAndSelect(ctx, e, "again"))
	})
}

func TestTransactionStatementsAreRefused(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://")
		for _, text := range []string{"begin", "BEGIN immediate", "commit", "end", "rollback", "savepoint x", "release x", "select 1; commit"} {
			_, err := e.Exec(ctx, text)
			require.ErrorIs(t, err, db.ErrMisuse, text)
			require.ErrorContains(t, err, "Begin")
		}
	})
}

func TestTxRunsOnTheSessionAsItShould(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{}
		e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(1))
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "one")
			_ = tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "two")
				return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return fmt.Errorf("no") })
			})
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return nil })
		}))
		require.Equal(t, []string{
			"begin", "one",
			"savepoint repaint_1", "two", "savepoint repaint_2", "rollback to repaint_2", "rollback to repaint_1",
			"savepoint repaint_1", "release repaint_1", "commit",
		}, f.Log())

		tx, err := e.BeginTx(ctx)
		require.NoError(t, err)
		require.NoError(t, tx.Rollback(ctx))
		require.Empty(t, f.Log(), "nothing was done in it")

		own, err := e.Connect(ctx)
		require.NoError(t, err)
		tx, err = own.BeginTx(ctx)
		require.NoError(t, err)
		_, err = tx.BeginTx(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"begin", "savepoint repaint_1"}, f.Log(), "a savepoint needs something around it")
		require.NoError(t, own.Close())
		require.Equal(t, []string{"rollback"}, f.Log(), "closing the Conn rolls back")
	})
}

// However callers are cancelled, Begin's result is true: nil means that everything was committed,
// an error that nothing was.
func TestBeginTellsTheTruthUnderRandomCancellation(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table done(id integer primary key, part integer)")
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		const n = 200
		committed := make([]bool, n) // each caller writes only its own element
		require.NoError(t, c.Together(ctx, n, func(ctx context.Context, i int) error {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			own, cancel := context.WithCancel(ctx)
			defer cancel()
			if turns := r.IntN(60); turns < 30 {
				wait := c.Go(ctx, func(ctx context.Context) error {
					for range turns {
						_ = repaint.Sleep(context.WithoutCancel(ctx), 0)
					}
					cancel()
					return nil
				})
				defer wait()
			}
			err := e.InTx(own, func(ctx context.Context, tx *db.Tx) error {
				for part := range 2 {
					err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						_, err := tx.Exec(ctx, "insert into done(part) values (:part)", db.Named("part", 2*i+part))
						return err
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			committed[i] = err == nil
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		}))
		parts, err := db.All[int](ctx, e, "select part from done order by part")
		require.NoError(t, err)
		var want []int
		for i, ok := range committed {
			if ok {
				want = append(want, 2*i, 2*i+1)
			}
		}
		t.Logf("%d of %d committed", len(want)/2, n)
		require.Equal(t, want, parts)
		require.Zero(t, e.Stats().InUse)
	})
}

func TestATransactionThatWouldntEndCostsItsConnection(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		no := errors.New("no")
		for _, status := range []backend.Status{backend.InTx, backend.FailedTx, backend.Broken} {
			f := &dbtest.Fake{OnEnd: func(_ string, s *dbtest.FakeSession) error { s.State = status; return no }}
			e := dbtest.Open(t, ctx, f.Register())
			err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "x")
				return err
			})
			require.ErrorIs(t, err, no)
			require.Equal(t, db.Stats{MaxOpen: 15, Acquired: 2, Connects: 1, Discarded: 1, CachedStatements: 1}, e.Stats())

			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			tx, err := conn.BeginTx(ctx)
			require.NoError(t, err)
			dbtest.Exec(t, ctx, tx, "x")
			require.NoError(t, conn.Close())
			require.Zero(t, e.Stats().Open)
		}
	})
}

func TestASavepointThatWouldntEndSpoilsWhatIsAroundIt(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		no := errors.New("no")
		for _, status := range []backend.Status{backend.InTx, backend.Idle, backend.Broken} {
			f := &dbtest.Fake{OnEnd: func(what string, s *dbtest.FakeSession) error {
				if what == "release" || what == "rollback to" {
					s.State = status
					return no
				}
				return nil
			}}
			e := dbtest.Open(t, ctx, f.Register())
			for _, inner := range []error{nil, errors.New("inner")} {
				err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return inner })
					require.Error(t, err)
					_, err = tx.Exec(ctx, "x")
					require.ErrorIs(t, err, db.ErrTxFailed)
					require.ErrorIs(t, err, no)
					return nil
				})
				require.ErrorIs(t, err, db.ErrTxFailed)
				require.Zero(t, e.Stats().InUse)
			}
		}
	})
}
