package pg

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// requireReadOnly checks that an error comes from a server that refuses to write.
func requireReadOnly(t *testing.T, err error, sql string) {
	t.Helper()
	var server *pgconn.PgError
	require.ErrorAs(t, err, &server, sql)
	require.Equal(t, "25006", server.Code, sql)
}

func TestAReaderIsRefusedWhatWrites(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, options := range []string{"", "&pipeline=off", "&default_query_exec_mode=exec", "&default_transaction_read_only=off", "&options=-c%20default_transaction_read_only%3Doff"} {
			db, _ := open(t, options)
			_, err := db.Exec(ctx, `create table t (id int);
				create function writes() returns int language sql as 'insert into t values (1) returning id';
				create view hidden as select writes()`)
			require.NoError(t, err)
			r := db.Reader()
			for _, sql := range []string{"insert into t values (1)", "insert into t values (1) returning id", "select writes()", "table hidden",
				"with x as (insert into t values (1) returning id) select * from x", "create table u (id int)", "select id into u from t", "delete from t",
				"select id from t for update", "do $$ begin perform writes(); end $$"} {
				_, err := r.Exec(ctx, sql)
				requireReadOnly(t, err, sql)
				_, err = r.Query(ctx, sql)
				requireReadOnly(t, err, sql)
				var b pgx.Batch
				b.Queue("select 1")
				b.Queue(sql)
				requireReadOnly(t, r.SendBatch(ctx, &b).Close(), sql)
			}
			require.Equal(t, 0, count(t, ctx, db, "t"))
			require.Zero(t, r.Stats().Poisoned)
			_, err = db.Exec(ctx, "insert into t values (1)")
			require.NoError(t, err, "the DB itself writes")
		}
	})
}

func TestAReaderRefusesWhatCouldMakeItWrite(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, options := range []string{"", "&pipeline=off"} {
			db, _ := open(t, options)
			r := db.Reader()
			for _, sql := range []string{
				"set default_transaction_read_only = off", "set transaction read write", "set local transaction_read_only = off", "reset all", "discard all",
				"set session characteristics as transaction read write", "begin read write", "start transaction read write", "begin",
				"select set_config('transaction_read_only', 'off', true)", "select set_config('default_transaction_read_only', 'off', false)",
				"select 1; select pg_catalog.set_config('a.b', 'c', true)", "select 1 from pg_class where set_config('a.b', 'c', is_local => true) = 'c'",
				"explain analyze select set_config('a.b', 'c', true)", "listen x", "create temp table x (i int)", "select pg_advisory_lock(1)",
			} {
				_, err := r.Exec(ctx, sql)
				require.ErrorIs(t, err, ErrRefusedOnLane, sql)
				_, err = r.Query(ctx, sql)
				require.ErrorIs(t, err, ErrRefusedOnLane, sql)
				var b pgx.Batch
				b.Queue("select 1")
				b.Queue(sql)
				err = r.SendBatch(ctx, &b).Close()
				require.ErrorIs(t, err, ErrRefusedOnLane, sql)
				require.ErrorContains(t, err, "statement 2 of the batch's 2", sql)
			}
			_, err := r.Query(ctx, "copy (select 1) to stdout")
			require.ErrorIs(t, err, ErrUnsupported)
			var b pgx.Batch
			b.BeginTx(pgx.TxOptions{})
			b.Queue("select 1")
			require.ErrorIs(t, r.SendBatch(ctx, &b).Close(), ErrUnsupported)
			require.NoError(t, r.Ping(ctx))
		}
	})
}

// A readLoad is a Reader of one lane. The test can put its statements into one write.
type readLoad struct {
	*Reader
	db    *DB
	proxy *faultproxy.Proxy
}

const readText = "select $1::int, 1000 / $2::int from pg_sleep($3)"

// openReaders opens a database with a Reader of one lane that knows readText.
func openReaders(t *testing.T, ctx context.Context, options string) *readLoad {
	t.Helper()
	target := testserver.Postgres(t).Database(t)
	proxy := faultproxy.New(t, target.Addr())
	target.Host, target.Port = proxy.Host(), proxy.Port()
	db := openAt(t, target.URL()+"&pool_reader_lanes=1&pipeline_depth=64"+options)
	r := &readLoad{db.Reader(), db, proxy}
	require.NoError(t, r.read(ctx, 1, 1, 0))
	return r
}

// read runs readText, and checks that the answer is its own.
func (r *readLoad) read(ctx context.Context, nonce, by int, sleeps float64) error {
	var got, tenth int
	if err := r.QueryRow(ctx, readText, nonce, by, sleeps).Scan(&got, &tenth); err != nil {
		return err
	}
	if got != nonce {
		return fmt.Errorf("asked for %d, got %d", nonce, got)
	}
	return nil
}

// atOnce calls fn(0) to fn(n-1), whose statements go into one write: the lane gets none until all
// of them wait for it. If sent isn't nil, atOnce calls it when they have been written.
func (r *readLoad) atOnce(t *testing.T, ctx context.Context, c colour, n int, sent func(), fn func(ctx context.Context, i int) error) []error {
	t.Helper()
	s := &r.db.readers
	hold := func(change int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, lane := range s.conns {
			lane.cancels += change
		}
	}
	hold(1)
	var errs []error
	wait := c.start(ctx, func(ctx context.Context) error {
		errs = c.together(ctx, n, fn)
		return nil
	})
	until(t, ctx, "all of them wait", func() bool { return r.Stats().Queued == n })
	hold(-1)
	s.mu.Lock()
	lane := s.conns[0]
	s.mu.Unlock()
	s.kick(lane)
	if sent != nil {
		until(t, ctx, "all of them are written", func() bool { return r.Stats().Queued == 0 && s.writtenOut() >= 0 })
		sent()
	}
	require.NoError(t, wait())
	return errs
}

func TestStatementsOfOneWriteShareASync(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for group, want := range map[int]uint64{1: 40, 2: 20, 5: 8, 8: 5, 32: 2} {
			r := openReaders(t, ctx, fmt.Sprint("&reader_group=", group))
			before := r.Stats()
			for _, err := range r.atOnce(t, ctx, c, 40, nil, func(ctx context.Context, i int) error { return r.read(ctx, i, 1, 0) }) {
				require.NoError(t, err)
			}
			after := r.Stats()
			require.Equal(t, want, after.Syncs-before.Syncs, group)
			require.EqualValues(t, 40, after.Statements-before.Statements)
			require.Zero(t, after.Skipped)
		}
	})
}

func TestAnErrorOfOneIsNoneOfTheOthersInItsGroup(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		r := openReaders(t, ctx, "")
		for round := range 8 {
			before := r.Stats()
			errs := r.atOnce(t, ctx, c, 40, nil, func(ctx context.Context, i int) error {
				by := 1
				if i%8 == round {
					by = 0
				}
				return r.read(ctx, i, by, 0)
			})
			for i, err := range errs {
				if i%8 != round {
					require.NoError(t, err, i)
					continue
				}
				var server *pgconn.PgError
				require.ErrorAs(t, err, &server)
				require.Equal(t, "22012", server.Code)
			}
			after := r.Stats()
			require.Equal(t, after.Skipped-before.Skipped, after.Retries-before.Retries, "what was skipped is sent again")
			if c.loop { // and the order is that of the tasks
				require.EqualValues(t, 5*(7-round), after.Skipped-before.Skipped)
			}
			require.Zero(t, after.Lost)
		}
	})
}

// Whatever callers give up in a group, the others get their answers, and long statements end.
func TestACancelInAGroupHitsNoCaller(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		r := openReaders(t, ctx, "")
		for slow := range 8 {
			limited, cancel := context.WithCancel(ctx)
			errs := r.atOnce(t, ctx, c, 8, cancel, func(ctx context.Context, i int) error {
				if i != slow {
					return r.read(ctx, i, 1, 0.01)
				}
				return c.start(limited, func(ctx context.Context) error { return r.read(ctx, i, 1, 3600) })()
			})
			for i, err := range errs {
				if i == slow {
					require.ErrorIs(t, err, context.Canceled)
					continue
				}
				require.NoError(t, err)
			}
		}
		require.Zero(t, r.Stats().Lost)
		require.GreaterOrEqual(t, r.Stats().Cancels, uint64(8))
	})
}

// An abandoned statement stands after one that takes long. The cancel must not hit that one, and if
// it does, the driver sends it again.
func TestACancelInAGroupThatHitsAnotherIsMadeUpFor(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		r := openReaders(t, ctx, "")
		limited, cancel := context.WithCancel(ctx)
		errs := r.atOnce(t, ctx, c, 3, cancel, func(ctx context.Context, i int) error {
			if i < 2 {
				return r.read(ctx, i, 1, 0.5)
			}
			return c.start(limited, func(ctx context.Context) error { return r.read(ctx, i, 1, 3600) })()
		})
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
		require.ErrorIs(t, errs[2], context.Canceled)
		require.NoError(t, r.read(ctx, 9, 1, 0), "the lane goes on")
		require.Zero(t, r.Stats().Lost)
	})
}

// A statement that is given up before it is written leaves its group, wherever it stands there.
func TestWhatIsTakenOutOfAGroupLeavesTheOthersWhole(t *testing.T) {
	for mask := range 1 << 5 {
		c := &conn{line: &line{db: &DB{config: &Config{}}}, w: &wire{shares: true}, prepared: newPrepared(8)}
		l := &lanes{line: line{db: c.line.db}, group: 3}
		l.of, l.trip.inFlight = l, func() int { return 0 }
		c.line, c.mu = &l.line, &l.mu
		c.pace.init(64, &l.trip)
		var all []*segment
		for i := range 5 {
			g := &segment{joins: true, lease: &lease{line: &l.line}}
			g.steps = append(g.oneStep[:0], step{payload: []byte{byte('a' + i)}})
			require.NoError(t, c.put(g, nanotime()))
			all = append(all, g)
		}
		require.Equal(t, "abcS\x00\x00\x00\x04deS\x00\x00\x00\x04", string(c.out))
		want := ""
		for i, g := range all {
			if mask>>i&1 == 0 {
				want += string(rune('a' + i))
			}
			if (i == 2 && mask&7 != 7) || (i == 4 && mask>>3 != 3) {
				want += string(syncMessage)
			}
			if mask>>i&1 == 1 {
				require.True(t, c.unput(g))
			}
		}
		require.Equal(t, want, string(c.out), mask)
		at := uint64(0)
		for i := range c.sent.len() {
			g := c.sent.at(i)
			require.Equal(t, at, g.start)
			at = g.end
			last := g.next == nil
			require.Equal(t, last, string(c.out[max(int(g.end)-5, 0):g.end]) == string(syncMessage))
			if !last {
				require.Equal(t, c.sent.at(i+1), g.next)
			}
		}
		require.Equal(t, c.queued, at)
	}
}
