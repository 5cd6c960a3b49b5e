package pg

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A gate is an argument, or the source of a COPY, that takes its time. It says that it was asked,
// and goes on when the test opens it.
type gate struct {
	value       int64
	asked, open *loop.Promise[struct{}]
}

func newGate(value int64) *gate {
	return &gate{value, loop.NewPromise[struct{}](nil), loop.NewPromise[struct{}](nil)}
}

func (g *gate) wait() error {
	g.asked.Resolve(struct{}{})
	_, err := repaint.Await(context.Background(), g.open.Future())
	return err
}

// Value implements driver.Valuer.
func (g *gate) Value() (driver.Value, error) { return g.value, g.wait() }

// Read implements io.Reader, for a COPY.
func (g *gate) Read(p []byte) (int, error) {
	if err := g.wait(); err != nil {
		return 0, err
	}
	return copy(p, fmt.Sprintln(g.value)), nil
}

func (g *gate) awaitAsked(t *testing.T, ctx context.Context) {
	_, err := repaint.Await(ctx, g.asked.Future())
	require.NoError(t, err)
}

// A call is one thing to do with a Tx or a Session.
type call struct {
	name string
	do   func(ctx context.Context) error
}

// A user has the methods that a Session and a Tx have in common.
type user interface {
	querier
	streamer
	Begin(ctx context.Context) (pgx.Tx, error)
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
}

// callsOf returns all calls by which a Tx or a Session inserts a row, and those by which a Tx does
// something else.
func callsOf(q user) []call {
	insert := "insert into t values ($1)"
	batch := func(args ...any) *pgx.Batch {
		b := new(pgx.Batch)
		b.Queue(insert, args...)
		b.Queue("rollback")
		return b
	}
	calls := []call{
		{"Exec", func(ctx context.Context) error { _, err := q.Exec(ctx, insert, -1); return err }},
		{"Exec without arguments", func(ctx context.Context) error { _, err := q.Exec(ctx, "insert into t values (-1)"); return err }},
		{"Exec of two statements", func(ctx context.Context) error {
			_, err := q.Exec(ctx, "insert into t values (-1); rollback")
			return err
		}},
		{"Exec of a bad argument", func(ctx context.Context) error { _, err := q.Exec(ctx, insert, "no number"); return err }},
		{"Exec of what leaves something", func(ctx context.Context) error { _, err := q.Exec(ctx, "set search_path to nowhere"); return err }},
		{"Exec in another mode", func(ctx context.Context) error {
			_, err := q.Exec(ctx, insert, pgx.QueryExecModeDescribeExec, -1)
			return err
		}},
		{"Query", func(ctx context.Context) error { _, err := q.Query(ctx, insert+" returning id", -1); return err }},
		{"QueryRow", func(ctx context.Context) error { return q.QueryRow(ctx, insert+" returning id", -1).Scan(new(int)) }},
		{"SendBatch", func(ctx context.Context) error { return q.SendBatch(ctx, batch(-1)).Close() }},
		{"Stream", func(ctx context.Context) error { _, err := q.Stream(ctx, insert+" returning id", -1); return err }},
		{"CopyFrom", func(ctx context.Context) error {
			_, err := q.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{-1}}))
			return err
		}},
	}
	if s, ok := q.(*Session); ok {
		return append(calls, []call{
			{"Begin", func(ctx context.Context) error { _, err := s.Begin(ctx); return err }},
			{"Ping", s.Ping},
			{"Prepare", func(ctx context.Context) error { _, err := s.Prepare(ctx, "late", insert); return err }},
			{"Deallocate", func(ctx context.Context) error { return s.Deallocate(ctx, "mine") }},
			{"CopyFromReader", func(ctx context.Context) error {
				_, err := s.CopyFromReader(ctx, strings.NewReader("-1\n"), "copy t from stdin")
				return err
			}},
			{"CopyTo", func(ctx context.Context) error {
				_, err := s.CopyTo(ctx, new(bytes.Buffer), "copy t to stdout")
				return err
			}},
			{"CopyOut", func(ctx context.Context) error { return lastOf(s.CopyOut(ctx, "copy t to stdout")) }},
		}...)
	}
	tx := q.(*Tx)
	return append(calls, []call{
		{"Begin", func(ctx context.Context) error { _, err := tx.Begin(ctx); return err }},
		{"Commit", tx.Commit},
		{"Rollback", tx.Rollback},
		{"Prepare", func(ctx context.Context) error { _, err := tx.Prepare(ctx, "late", insert); return err }},
		{"Cursor", func(ctx context.Context) error { _, err := tx.Cursor(ctx, "select 1"); return err }},
		{"CopyFromReader", func(ctx context.Context) error {
			_, err := tx.CopyFromReader(ctx, strings.NewReader("-1\n"), "copy t from stdin")
			return err
		}},
		{"CopyTo", func(ctx context.Context) error {
			_, err := tx.CopyTo(ctx, new(bytes.Buffer), "copy t to stdout")
			return err
		}},
		{"CopyOut", func(ctx context.Context) error { return lastOf(tx.CopyOut(ctx, "copy t to stdout")) }},
		{"Rollback with a context that has ended", func(ctx context.Context) error {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			return tx.Rollback(ended)
		}},
	}...)
}

// lastOf returns the last error of a COPY.
func lastOf(data func(yield func([]byte, error) bool)) (err error) {
	for _, e := range data {
		err = e
	}
	return err
}

// endings are the ways in which a transaction, or savepoint, ends. Each returns the transactions
// and the session that are late then.
var endings = []struct {
	name  string
	begin func(t *testing.T, ctx context.Context, db *DB) (late []*Tx, session *Session)
}{
	{"Commit", func(t *testing.T, ctx context.Context, db *DB) ([]*Tx, *Session) {
		tx := beginTx(t, ctx, db)
		sp := beginTx(t, ctx, tx)
		require.NoError(t, tx.Commit(ctx))
		return []*Tx{tx, sp}, nil
	}},
	{"Rollback", func(t *testing.T, ctx context.Context, db *DB) ([]*Tx, *Session) {
		tx := beginTx(t, ctx, db)
		sp := beginTx(t, ctx, beginTx(t, ctx, tx))
		require.NoError(t, tx.Rollback(ctx))
		return []*Tx{tx, sp.parent, sp}, nil
	}},
	{"Rollback after the context", func(t *testing.T, ctx context.Context, db *DB) ([]*Tx, *Session) {
		tx := beginTx(t, ctx, db)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		require.NoError(t, tx.Rollback(ended))
		return []*Tx{tx}, nil
	}},
	{"Commit of nothing", func(t *testing.T, ctx context.Context, db *DB) ([]*Tx, *Session) {
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		require.NoError(t, tx.Commit(ctx))
		return []*Tx{tx.(*Tx)}, nil
	}},
	{"Release of its session", func(t *testing.T, ctx context.Context, db *DB) ([]*Tx, *Session) {
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		tx := beginTx(t, ctx, s)
		sp := beginTx(t, ctx, tx)
		s.Release()
		return []*Tx{tx, sp}, s
	}},
	{"Release before its first statement", func(t *testing.T, ctx context.Context, db *DB) ([]*Tx, *Session) {
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		tx, err := s.Begin(ctx)
		require.NoError(t, err)
		s.Release()
		return []*Tx{tx.(*Tx)}, s
	}},
	{"Close of its session", func(t *testing.T, ctx context.Context, db *DB) ([]*Tx, *Session) {
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		tx := beginTx(t, ctx, s)
		require.NoError(t, s.Close(ctx))
		return []*Tx{tx}, s
	}},
}

// beginTx begins a transaction, or a savepoint, in which something has happened.
func beginTx(t *testing.T, ctx context.Context, in interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}) *Tx {
	t.Helper()
	tx, err := in.Begin(ctx)
	require.NoError(t, err)
	_, err = tx.Exec(ctx, "select 1")
	require.NoError(t, err)
	return tx.(*Tx)
}

// sent returns how many segments have been sent on the connection of the only session.
func sent(s *lease) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Statements
}

// A transaction that has ended, in whatever way, and a session that was released, do nothing to the
// next owner of the connection. The driver sends nothing, and the error says why.
func TestLateCallsHitNobody(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, ending := range endings {
			db, target := open(t, "&pool_sessions=1")
			target.MustQuery(t, "create table t (id int)")
			late, session := ending.begin(t, ctx, db)

			next := beginTx(t, ctx, db)
			inner := beginTx(t, ctx, next)
			_, err := inner.Exec(ctx, "insert into t values (1)")
			require.NoError(t, err)
			before := sent(&next.s)
			for i, tx := range late {
				for _, call := range callsOf(tx) {
					require.ErrorIs(t, call.do(ctx), pgx.ErrTxClosed, "%s: %s of %d", ending.name, call.name, i)
				}
			}
			if session != nil {
				for _, call := range callsOf(session) {
					require.ErrorIs(t, call.do(ctx), ErrClosed, "%s: %s", ending.name, call.name)
				}
				require.Zero(t, session.PID())
				session.Release()
				require.NoError(t, session.Close(ctx))
			}
			require.Equal(t, before, sent(&next.s), "%s: something was sent", ending.name)
			require.NoError(t, inner.Commit(ctx))
			require.NoError(t, next.Commit(ctx))
			require.Equal(t, 1, count(t, ctx, db, "t"))
		}
	})
}

// A savepoint ends with the savepoints within it, and with the transaction or savepoint around it.
// The server decides which are within.
func TestSavepointsEndWithWhatTheyAreIn(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		for _, how := range []string{"Commit", "Rollback"} {
			end := func(tx *Tx) error {
				if how == "Commit" {
					return tx.Commit(ctx)
				}
				return tx.Rollback(ctx)
			}
			tx := beginTx(t, ctx, db)
			first := beginTx(t, ctx, tx)
			second := beginTx(t, ctx, tx) // within the first, as far as the server is concerned
			third := beginTx(t, ctx, second)
			require.NoError(t, end(first))
			before := sent(&tx.s)
			for _, over := range []*Tx{first, second, third} {
				for _, call := range callsOf(over) {
					require.ErrorIs(t, call.do(ctx), pgx.ErrTxClosed, "%s: %s", how, call.name)
				}
			}
			require.Equal(t, before, sent(&tx.s))
			again := beginTx(t, ctx, tx)
			last := beginTx(t, ctx, tx)
			require.NoError(t, end(last))
			_, err := again.Exec(ctx, "insert into t values (1)")
			require.NoError(t, err, "%s: one that was made before it goes on", how)
			require.NoError(t, again.Rollback(ctx))
			require.NoError(t, tx.Commit(ctx), how)
		}
		// A savepoint that couldn't be made leaves nothing behind.
		tx := beginTx(t, ctx, db)
		outer := beginTx(t, ctx, tx)
		_, err := outer.Exec(ctx, "select 1/0")
		require.ErrorContains(t, err, "22012")
		_, err = outer.Begin(ctx)
		require.ErrorContains(t, err, "25P02")
		require.Len(t, tx.s.points, 1)
		require.NoError(t, outer.Rollback(ctx))
		require.Empty(t, tx.s.points)
		require.NoError(t, tx.Rollback(ctx))
		require.Zero(t, count(t, ctx, db, "t"))
	})
}

// slowCalls are the calls that ask an argument for its value between the call and the statement.
func slowCalls(q user, value *gate, mark string) []call {
	insert := "insert into t values ($1) /* " + mark + " */"
	return []call{
		{"Exec", func(ctx context.Context) error { _, err := q.Exec(ctx, insert, value); return err }},
		{"Exec in another mode", func(ctx context.Context) error {
			_, err := q.Exec(ctx, insert, pgx.QueryExecModeDescribeExec, value)
			return err
		}},
		{"Query", func(ctx context.Context) error { _, err := q.Query(ctx, insert+" returning id", value); return err }},
		{"QueryRow", func(ctx context.Context) error { return q.QueryRow(ctx, insert+" returning id", value).Scan(new(int)) }},
		{"Stream", func(ctx context.Context) error { _, err := q.Stream(ctx, insert+" returning id", value); return err }},
		{"SendBatch", func(ctx context.Context) error {
			b := new(pgx.Batch)
			b.Queue("insert into t values ($1)", -2)
			b.Queue(insert, value)
			return q.SendBatch(ctx, b).Close()
		}},
	}
}

// A statement whose argument takes its time isn't sent after its owner's end: neither into the next
// owner's transaction nor outside any transaction.
func TestStatementDoesNotOutliveItsOwner(t *testing.T) {
	type owner struct {
		name  string
		begin func(t *testing.T, ctx context.Context, db *DB) (q user, end func() error)
		late  error
	}
	owners := []owner{
		{"Tx.Rollback", func(t *testing.T, ctx context.Context, db *DB) (user, func() error) {
			tx := beginTx(t, ctx, db)
			return tx, func() error { return tx.Rollback(ctx) }
		}, pgx.ErrTxClosed},
		{"Tx.Rollback in its first statement", func(t *testing.T, ctx context.Context, db *DB) (user, func() error) {
			tx, err := db.Begin(ctx)
			require.NoError(t, err)
			return tx.(*Tx), func() error { return tx.Rollback(ctx) }
		}, pgx.ErrTxClosed},
		{"Tx.Commit", func(t *testing.T, ctx context.Context, db *DB) (user, func() error) {
			tx := beginTx(t, ctx, db)
			return tx, func() error { return tx.Commit(ctx) }
		}, pgx.ErrTxClosed},
		{"Commit of the transaction around it", func(t *testing.T, ctx context.Context, db *DB) (user, func() error) {
			tx := beginTx(t, ctx, db)
			return beginTx(t, ctx, tx), func() error { return tx.Commit(ctx) }
		}, pgx.ErrTxClosed},
		{"Release of a transaction's session", func(t *testing.T, ctx context.Context, db *DB) (user, func() error) {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			return beginTx(t, ctx, s), func() error { s.Release(); return nil }
		}, pgx.ErrTxClosed},
		{"Session.Release", func(t *testing.T, ctx context.Context, db *DB) (user, func() error) {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			return s, func() error { s.Release(); return nil }
		}, ErrClosed},
		{"Session.Close", func(t *testing.T, ctx context.Context, db *DB) (user, func() error) {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			return s, func() error { return s.Close(ctx) }
		}, ErrClosed},
	}
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		for _, owner := range owners {
			for i := range slowCalls(nil, nil, "") {
				q, end := owner.begin(t, ctx, db)
				value := newGate(-1)
				call := slowCalls(q, value, fmt.Sprint(owner.name, i))[i]
				wait := c.start(ctx, call.do)
				value.awaitAsked(t, ctx)
				require.NoError(t, end(), owner.name)

				next := beginTx(t, ctx, db)
				before := sent(&next.s)
				value.open.Resolve(struct{}{})
				require.ErrorIs(t, wait(), owner.late, "%s: %s", owner.name, call.name)
				require.Equal(t, before, sent(&next.s), "%s: %s was sent", owner.name, call.name)
				require.NoError(t, next.Commit(ctx))
			}
		}
		require.Zero(t, count(t, ctx, db, "t"))
	})
}

// With a network, a statement's owner can end during the round trip that asks for the types of the
// arguments.
func TestStatementDoesNotOutliveItsOwnerOverANetwork(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int, mark text)")
		proxy.Delay(500*time.Microsecond, 500*time.Microsecond)
		ran := 0
		for i := range 50 {
			tx := beginTx(t, ctx, db)
			calls := []call{
				{"Exec", func(ctx context.Context) error {
					_, err := tx.Exec(ctx, fmt.Sprintf("insert into t values ($1, 'exec %d')", i), i)
					return err
				}},
				{"SendBatch", func(ctx context.Context) error {
					b := new(pgx.Batch)
					b.Queue(fmt.Sprintf("insert into t values ($1, 'batch %d')", i), i)
					return tx.SendBatch(ctx, b).Close()
				}},
				{"Stream", func(ctx context.Context) error {
					rows, err := tx.Stream(ctx, fmt.Sprintf("insert into t values ($1, 'stream %d') returning id", i), i)
					rows.Close()
					return err
				}},
			}
			call := calls[i%len(calls)]
			var over atomic.Bool
			wait := c.start(ctx, func(ctx context.Context) error {
				defer over.Store(true)
				return call.do(ctx)
			})
			// As soon as the question for the types is on its way, if the test sees that in time.
			until(t, ctx, "the question", func() bool { return tx.s.writtenOut() > 0 || over.Load() })
			require.NoError(t, tx.Rollback(ctx))
			next := beginTx(t, ctx, db)
			if err := wait(); err == nil {
				ran++
			} else {
				// A stream that had begun reports its own end.
				require.True(t, errors.Is(err, pgx.ErrTxClosed) || call.name == "Stream" && errors.Is(err, ErrClosed), "%s: %v", call.name, err)
			}
			require.NoError(t, next.Commit(ctx))
		}
		require.Less(t, ran, 50, "none of them came too late, so nothing was tested")
		require.Zero(t, count(t, ctx, db, "t"))
	})
}

// In a loop, statements are sent when the tick ends. A call that came before the end of its owner,
// in the same tick, is sent before that end.
func TestStatementOfTheSameTickComesBeforeItsOwnersEnd(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		if !c.loop {
			t.Skip("goroutines have no ticks")
		}
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		insert := func(q user, id int) func() error {
			return c.start(ctx, func(ctx context.Context) error {
				_, err := q.Exec(ctx, fmt.Sprintf("insert into t values (%d)", id))
				return err
			})
		}
		tx := beginTx(t, ctx, db)
		before := insert(tx, 1)
		require.NoError(t, tx.Commit(ctx))
		require.NoError(t, before())

		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		before = insert(s, 2)
		s.Release()
		after := insert(s, -1)
		next := beginTx(t, ctx, db)
		require.NoError(t, before())
		require.ErrorIs(t, after(), ErrClosed)
		require.NoError(t, next.Rollback(ctx))

		tx = beginTx(t, ctx, db)
		before = insert(tx, -1)
		require.NoError(t, tx.Rollback(ctx))
		require.NoError(t, before(), "it was executed before the rollback")
		require.Equal(t, 2, count(t, ctx, db, "t"))
	})
}
