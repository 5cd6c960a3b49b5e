package dbtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// Ends is a database that ends idle connections just before they are used. That is no failure, and
// no row is doubled or lost.
type Ends struct {
	At testserver.Target
	// Open opens an Engine.
	Open func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine
	// All ends all connections of Engines.
	All func(t testing.TB)
	// OnlyTx says that the driver can't tell whether a statement outside a transaction was
	// executed.
	OnlyTx bool
}

// EndBackends is a PostgreSQL statement that ends all other connections to the database. It does
// its own waiting, because pg_terminate_backend with a timeout looks only every 100 ms.
const EndBackends = `do $$
	declare
		ended int[] := array(select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid());
	begin
		perform pg_terminate_backend(pid) from unnest(ended) pid;
		while exists (select from pg_stat_activity where pid = any(ended)) loop
			perform pg_sleep(0.002), pg_stat_clear_snapshot();
		end loop;
	end $$`

// anEnd is a way to insert a row. The ways differ in what they do first on a connection. The
// connection may end in pause.
type anEnd struct {
	name string
	tx   bool
	do   func(ctx context.Context, e *db.Engine, pause func(), id int) error
}

const endsInsert = "insert into ends(id) values (:id)"

func insertEnd(ctx context.Context, q db.Querier, id int) error {
	_, err := q.Exec(ctx, endsInsert, db.Named("id", id))
	return err
}

// onConn returns a function that calls pause and then fn with a Conn of its own.
func onConn(fn func(ctx context.Context, c *db.Conn, id int) error, opts ...db.ConnOption) func(ctx context.Context, e *db.Engine, pause func(), id int) error {
	return func(ctx context.Context, e *db.Engine, pause func(), id int) error {
		c, err := e.Connect(ctx, opts...)
		if err != nil {
			return err
		}
		defer c.Close()
		pause()
		return fn(ctx, c, id)
	}
}

var allEnds = []anEnd{
	{"Exec", false, func(ctx context.Context, e *db.Engine, pause func(), id int) error {
		pause()
		return insertEnd(ctx, e, id)
	}},
	{"a script", false, func(ctx context.Context, e *db.Engine, pause func(), id int) error {
		pause()
		_, err := e.Exec(ctx, fmt.Sprintf("delete from ends where id < 0; insert into ends(id) values (%d)", id))
		return err
	}},
	{"Begin", true, func(ctx context.Context, e *db.Engine, pause func(), id int) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			pause()
			return insertEnd(ctx, tx, id)
		})
	}},
	{"Begin with a level", true, func(ctx context.Context, e *db.Engine, pause func(), id int) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			pause()
			return insertEnd(ctx, tx, id)
		}, db.Isolation(db.ReadCommitted))
	}},
	{"a savepoint first", true, func(ctx context.Context, e *db.Engine, pause func(), id int) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			pause()
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return insertEnd(ctx, tx, id) })
		})
	}},
	{"a stream in a transaction", true, func(ctx context.Context, e *db.Engine, pause func(), id int) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			pause()
			rows, err := tx.Stream(ctx, "select 1")
			if err != nil {
				return err
			}
			if err := rows.Close(); err != nil {
				return err
			}
			return insertEnd(ctx, tx, id)
		})
	}},
	{"a Conn", false, onConn(func(ctx context.Context, c *db.Conn, id int) error { return insertEnd(ctx, c, id) })},
	{"a stream of a Conn", false, onConn(func(ctx context.Context, c *db.Conn, id int) error {
		rows, err := c.Stream(ctx, "select 1")
		if err != nil {
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
		return insertEnd(ctx, c, id)
	})},
	{"a transaction of a Conn", true, onConn(func(ctx context.Context, c *db.Conn, id int) error {
		return c.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return insertEnd(ctx, tx, id) })
	})},
	{"AutoBegin", true, onConn(func(ctx context.Context, c *db.Conn, id int) error {
		if err := insertEnd(ctx, c, id); err != nil {
			return err
		}
		return c.Commit(ctx)
	}, db.AutoBegin())},
	{"Raw in a transaction", true, onConn(func(ctx context.Context, c *db.Conn, id int) error {
		return c.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			if err := tx.Raw(ctx, func(context.Context, any) error { return nil }); err != nil {
				return err
			}
			return insertEnd(ctx, tx, id)
		})
	})},
}

// Test ends all connections at the moment of use: first those that are idle in the pool, then those
// that callers hold.
func (s Ends) Test(t *testing.T) {
	for name, had := range map[string]bool{"in the pool": false, "checked out": true} {
		t.Run(name, func(t *testing.T) {
			BothColours(t, func(t *testing.T, ctx context.Context, c Colour) {
				next, want := s.begin(t, ctx)
				for _, way := range s.ways() {
					e := s.Open(t, ctx, db.PoolSize(3))
					require.NoError(t, c.Together(ctx, 3, func(ctx context.Context, _ int) error {
						return way.do(ctx, e, func() {}, next())
					}), way.name)
					if !had {
						s.All(t)
					}
					n := 3
					if had { // with more callers, others would be in the middle of a statement
						n = 1
					}
					require.NoError(t, c.Together(ctx, n, func(ctx context.Context, _ int) error {
						return way.do(ctx, e, func() {
							if had {
								s.All(t)
							}
						}, next())
					}), way.name)
					require.NoError(t, e.Close(ctx))
				}
				want()
			})
		})
	}
}

// TestSpread uses connections, again and again, at about the moment when the database ends them for
// having been idle.
func (s Ends) TestSpread(t *testing.T, idle time.Duration, rounds int) {
	BothColours(t, func(t *testing.T, ctx context.Context, c Colour) {
		next, want := s.begin(t, ctx)
		e := s.Open(t, ctx, db.PoolSize(30))
		ways := s.ways()
		pause := func() { // the pause is what is tested; it waits for nothing
			_ = repaint.Sleep(ctx, idle*9/10+rand.N(idle/5))
		}
		for range rounds {
			require.NoError(t, c.Together(ctx, 2*len(ways), func(ctx context.Context, i int) error {
				pause()
				way := ways[i%len(ways)]
				if err := way.do(ctx, e, pause, next()); err != nil {
					return fmt.Errorf("%s: %w", way.name, err)
				}
				return nil
			}))
		}
		require.NoError(t, e.Close(ctx))
		want()
	})
}

func (s Ends) ways() (all []anEnd) {
	for _, way := range allEnds {
		if way.tx || !s.OnlyTx {
			all = append(all, way)
		}
	}
	return all
}

// begin makes the table. next returns the next id. want requires that the table has every id
// exactly once.
func (s Ends) begin(t *testing.T, ctx context.Context) (next func() int, want func()) {
	e := s.Open(t, ctx)
	for _, text := range []string{"drop table if exists ends", "create table ends (id int)"} {
		_, err := e.Exec(ctx, text)
		require.NoError(t, err)
	}
	require.NoError(t, e.Close(ctx))
	ids := make(chan int, 10_000)
	for i := range cap(ids) {
		ids <- i
	}
	next = func() int { return <-ids }
	return next, func() {
		n := fmt.Sprint(next())
		require.Equal(t, n+"\n"+n, s.At.MustQuery(t, "select count(*) from ends union all select count(distinct id) from ends"))
	}
}
