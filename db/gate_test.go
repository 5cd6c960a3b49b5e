package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestAConnThatWritesIsntKeptWaitingByThoseWhoWaitForItsConnection(t *testing.T) {
	for name, query := range map[string]func(ctx context.Context, e *db.Engine) error{
		"query": func(ctx context.Context, e *db.Engine) error {
			_, err := e.Query(ctx, "select * from items")
			return err
		},
		"read-only transaction": func(ctx context.Context, e *db.Engine) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Query(ctx, "select * from items")
				return err
			}, db.ReadOnly())
		},
		"savepoint in a read-only transaction": func(ctx context.Context, e *db.Engine) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Query(ctx, "select * from items")
					return err
				})
			}, db.ReadOnly())
		},
		"stream": func(ctx context.Context, e *db.Engine) error {
			rows, err := e.Stream(ctx, "select * from items")
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return rows.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
				e := dbtest.Open(t, ctx, "sqlite://", db.PoolSize(1), db.PoolTimeout(0))
				dbtest.Exec(t, ctx, e, items, "insert into items(value) values ('a')")
				conn, err := e.Connect(ctx)
				require.NoError(t, err)
				defer conn.Close()
				wait := c.Go(ctx, func(ctx context.Context) error { return query(ctx, e) })
				dbtest.UntilWaiting(ctx, e, 1)
				short, cancel := context.WithTimeout(ctx, 20*time.Second)
				defer cancel()
				dbtest.Exec(t, short, conn, "insert into items(value) values ('b')")
				require.NoError(t, conn.Close())
				require.NoError(t, wait())
			})
		})
	}
}

func TestATransactionThatCantBeginKeepsTheTurnAsLongAsTheConnection(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		refusal := errors.New("not now")
		f := &dbtest.Fake{Limit: backend.Limits{OneWriter: true}, OnBegin: func(db.TxOptions) error { return refusal }}
		e := dbtest.Open(t, ctx, f.Register(), db.PoolTimeout(0))
		tx, err := e.BeginTx(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "write 1")
		require.ErrorIs(t, err, refusal)
		wait := c.Go(ctx, func(ctx context.Context) error {
			_, err := e.Exec(ctx, "write 2")
			return err
		})
		dbtest.UntilWaiting(ctx, e, 1)
		_, err = tx.Exec(ctx, "write 1") // the other transaction waits for this one, and not the reverse
		require.ErrorIs(t, err, refusal)
		require.NoError(t, tx.Rollback(ctx))
		require.NoError(t, wait())
	})
}

// Many callers use one database in every way, one way at a time each. No wait ends by a timeout:
// each caller is served because the others make progress.
func TestWhateverTheCallersDoAllAreServed(t *testing.T) {
	for _, where := range []string{"memory", "file", "fake"} {
		for size := 1; size <= 5; size++ {
			t.Run(fmt.Sprint(where, "/", size), func(t *testing.T) {
				dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
					seed := rand.Uint64()
					defer func() {
						if t.Failed() {
							t.Logf("seed %d", seed)
						}
					}()
					url := "sqlite://"
					fake := &dbtest.Fake{Limit: backend.Limits{OneWriter: true, WriterExcludesReaders: size < 4}}
					switch where {
					case "file":
						url = dbtest.File(t)
					case "fake": // the Fake's statements don't run as jobs
						url = fake.Register()
						fake.OnDo = func(ctx context.Context, _ *dbtest.FakeSession, _ *backend.Call) error {
							return repaint.Sleep(ctx, 0)
						}
					}
					opts := []db.Option{db.PoolSize(size), db.PoolTimeout(0)}
					if size%2 == 0 { // connections are also made while callers wait
						opts = append(opts, db.MaxLifetime(time.Microsecond), db.OnEvents(db.Events{
							Connect: func(ctx context.Context, conn *db.Conn) error {
								_, err := conn.Exec(ctx, "pragma cache_size=-100")
								if err == nil && where != "file" { // a caller would poll for the file's lock
									_, err = conn.Exec(ctx, "create table if not exists setup(v)")
								}
								return err
							},
							Checkout: func(context.Context, db.ConnInfo) {}, // makes every connection take the long way
						}))
					}
					e := dbtest.Open(t, ctx, url, opts...)
					dbtest.Exec(t, ctx, e, items, "insert into items(value) values ('a'), ('b'), ('c')")
					require.NoError(t, c.Together(ctx, 150, func(ctx context.Context, i int) error {
						caller := &gateCaller{e: e, colour: c, rand: rand.New(rand.NewPCG(seed, uint64(i)))}
						for range 3 {
							if err := caller.something(ctx); err != nil {
								return err
							}
						}
						return nil
					}))
					require.Zero(t, fake.Overlaps.Load())
					stats := e.Stats()
					require.Zero(t, stats.InUse)
					require.Zero(t, stats.Waiting)
					_, err := e.Exec(ctx, "delete from items") // works, because the turn to write is free
					require.NoError(t, err)
				})
			})
		}
	}
}

// gateCaller makes random calls.
type gateCaller struct {
	e      *db.Engine
	colour dbtest.Colour
	rand   *rand.Rand
}

const (
	gateRead  = "select * from items limit 100"
	gateWrite = "insert into items(value) values ('x')"
)

func (g *gateCaller) something(ctx context.Context) error {
	if g.rand.IntN(8) == 0 {
		// Whether the statement runs or not: a cancelled call must leave nothing behind.
		ctx, cancel := context.WithTimeout(ctx, time.Duration(g.rand.IntN(2000))*time.Microsecond)
		defer cancel()
		_ = g.once(ctx)
		return nil
	}
	return g.once(ctx)
}

// once does one thing with the Engine.
func (g *gateCaller) once(ctx context.Context) error {
	switch g.rand.IntN(8) {
	case 0:
		conn, err := g.e.Connect(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return g.several(ctx, conn)
	case 1:
		conn, err := g.e.Connect(ctx, db.AutoBegin())
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := g.statement(ctx, conn); err != nil || g.rand.IntN(2) == 0 {
			return err
		}
		return conn.Commit(ctx)
	case 2:
		return g.e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return g.several(ctx, tx) })
	case 3:
		return g.e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			if _, err := tx.Query(ctx, gateRead); err != nil {
				return err
			}
			g.pause(ctx)
			_, err := tx.Query(ctx, gateRead)
			return err
		}, db.ReadOnly())
	case 4:
		_, err := db.ExecMany(ctx, g.e, "insert into items(value) values (:value)", []map[string]any{{"value": "m"}, {"value": "n"}})
		return err
	case 5:
		if g.colour.Loop {
			_, err := repaint.Await(ctx, g.e.Async().Exec(ctx, gateWrite))
			return err
		}
	}
	return g.statement(ctx, g.e)
}

// several makes a few random calls on a Conn or Tx, and lets other callers run in between.
func (g *gateCaller) several(ctx context.Context, q streamer) error {
	for range g.rand.IntN(4) {
		if err := g.statement(ctx, q); err != nil {
			return err
		}
		g.pause(ctx)
	}
	return nil
}

type streamer interface {
	db.Querier
	Stream(ctx context.Context, query string, args ...any) (*db.Rows, error)
}

func (g *gateCaller) statement(ctx context.Context, q streamer) error {
	chance := g.rand.IntN(7)
	if chance > 4 && g.e.URL().Dialect != "sqlite" {
		chance = 0 // the Fake doesn't stream
	}
	switch chance {
	case 0, 1:
		_, err := q.Query(ctx, gateRead)
		return err
	case 2, 3:
		_, err := q.Exec(ctx, gateWrite)
		return err
	case 4:
		return q.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			g.pause(ctx)
			_, err := tx.Exec(ctx, gateWrite)
			return err
		})
	case 5:
		if raw, ok := q.(interface {
			Raw(ctx context.Context, fn func(ctx context.Context, conn any) error) error
		}); ok {
			return raw.Raw(ctx, func(context.Context, any) error { return nil })
		}
	}
	return g.stream(ctx, q)
}

// stream reads some of the rows, or all.
func (g *gateCaller) stream(ctx context.Context, q streamer) error {
	rows, err := q.Stream(ctx, gateRead)
	if err != nil {
		return err
	}
	for n := g.rand.IntN(200); n > 0 && rows.Next(); n-- {
		if n%50 == 0 {
			g.pause(ctx)
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	return rows.Err()
}

// pause lets other callers run.
func (g *gateCaller) pause(ctx context.Context) {
	if g.rand.IntN(2) == 0 {
		_ = repaint.Sleep(ctx, 0)
	}
}
