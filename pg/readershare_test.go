package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A reported setting concerns a whole group, because the report may have come after the statement
// that changed it.
func TestWhatAViewSetsConcernsNoOtherReader(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_reader_lanes=2")
		_, err := db.Exec(ctx, `create table t (id int);
			create function writes() returns int language sql as 'insert into t values (1) returning id';
			create view zone as select set_config('TimeZone', 'Asia/Tokyo', false) as text;
			create view writable as select set_config('default_transaction_read_only', 'off', false) as text`)
		require.NoError(t, err)
		r := db.Reader()
		for i, err := range c.together(ctx, 300, func(ctx context.Context, i int) error {
			var got string
			switch i % 10 {
			case 3:
				return r.QueryRow(ctx, "table zone").Scan(&got)
			case 6:
				return r.QueryRow(ctx, "table writable").Scan(&got)
			case 9:
				_, err := r.Exec(ctx, "select writes()")
				return err
			}
			err := r.QueryRow(ctx, "select current_setting('TimeZone') || $1::int", i).Scan(&got)
			if want := fmt.Sprint("UTC", i); err == nil && got != want {
				err = fmt.Errorf("%s, not %s", got, want)
			}
			return err
		}) {
			if i%10 == 9 {
				requireReadOnly(t, err, "select writes()")
				continue
			}
			require.NoError(t, err)
		}
		require.Equal(t, 0, count(t, ctx, db, "t"))
		require.NotZero(t, r.Stats().Poisoned)
	})
}

// With one snapshot for the transaction, callers could notice the sharing. The setting can come
// from anywhere, and doesn't change on a connection.
func TestOnlyReadCommittedIsShared(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		for _, options := range []string{"&default_transaction_isolation=repeatable%20read", "&default_transaction_isolation=serializable"} {
			r := &readLoad{db: openAt(t, target.URL()+"&pool_reader_lanes=1&pipeline_depth=64"+options)}
			r.Reader = r.db.Reader()
			require.NoError(t, r.read(ctx, 1, 1, 0))
			before := r.Stats().Syncs
			for _, err := range r.atOnce(t, ctx, c, 16, nil, func(ctx context.Context, i int) error { return r.read(ctx, i, 1, 0) }) {
				require.NoError(t, err)
			}
			require.EqualValues(t, 16, r.Stats().Syncs-before)
		}
		pinned := openAt(t, target.URL()+"&pool_reader_lanes=1").Reader()
		var source string
		require.NoError(t, pinned.QueryRow(ctx, "select source from pg_settings where name = 'default_transaction_isolation'").Scan(&source))
		require.Equal(t, "session", source, "so the server's configuration doesn't change it any more")
	})
}

// A statement that may do more than compute has its transaction for itself.
func TestWhatCouldBeToldHasItsOwnSync(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		r := openReaders(t, ctx, "")
		_, err := r.db.Exec(ctx, "create function local() returns text language sql as $$ select set_config('my.own', 'mine', true) $$")
		require.NoError(t, err)
		for _, sql := range []string{"select local()", "select pg_advisory_xact_lock(1)", "select txid_current_if_assigned()"} {
			_, err := r.Exec(ctx, sql) // so that it is prepared
			require.NoError(t, err)
			before := r.Stats().Syncs
			for _, err := range r.atOnce(t, ctx, c, 8, nil, func(ctx context.Context, i int) error {
				if i%2 == 0 {
					return r.QueryRow(ctx, sql+" as x").Scan(nil)
				}
				var mine *string
				if err := r.QueryRow(ctx, "select current_setting('my.own', true) from (values ($1::int)) v", i).Scan(&mine); err != nil {
					return err
				}
				if mine != nil && *mine != "" {
					return fmt.Errorf("another one's setting: %q", *mine)
				}
				return nil
			}) {
				require.NoError(t, err, sql)
			}
			require.GreaterOrEqual(t, r.Stats().Syncs-before, uint64(5))
		}
		before := r.Stats().Syncs
		for _, err := range r.atOnce(t, ctx, c, 8, nil, func(ctx context.Context, i int) error {
			_, err := r.Exec(ctx, "select $1::int", Timeout(time.Minute), i)
			return err
		}) {
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, r.Stats().Syncs-before, uint64(8), "a Timeout is a setting of the transaction")
	})
}

// A lost group is sent again, in part or completely.
func TestAGroupThatIsLostIsReadAgain(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		r := openReaders(t, ctx, "")
		for name, cut := range map[string]struct{ before, sent func() }{
			"all of it":       {sent: r.proxy.Cut},
			"the answers":     {before: func() { r.proxy.CutAfter(faultproxy.ToClient, 100) }},
			"most answers":    {before: func() { r.proxy.CutAfter(faultproxy.ToClient, 900) }},
			"the statements":  {before: func() { r.proxy.CutAfter(faultproxy.ToServer, 200) }},
			"most statements": {before: func() { r.proxy.CutAfter(faultproxy.ToServer, 1500) }},
		} {
			lost := r.Stats().Lost
			if cut.before != nil {
				cut.before()
			}
			for _, err := range r.atOnce(t, ctx, c, 30, cut.sent, func(ctx context.Context, i int) error { return r.read(ctx, i, 1, 0.01) }) {
				require.NoError(t, err, name)
			}
			require.Equal(t, lost+1, r.Stats().Lost, name)
		}
	})
}

func TestAReadersPlansArePreparedAnew(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_reader_lanes=1")
		_, err := db.Exec(ctx, "create table t (id int, v int); insert into t select i, i from generate_series(1, 20) i")
		require.NoError(t, err)
		r := db.Reader()
		for _, change := range []string{"select 1", "alter table t alter v type text", "alter table t add w int default 7", "alter table t alter id type bigint"} {
			_, err := db.Exec(ctx, change)
			require.NoError(t, err)
			for _, err := range c.together(ctx, 100, func(ctx context.Context, i int) error {
				var id, v string
				rows, err := r.Query(ctx, "select * from t where id = $1", i%20+1)
				if err != nil {
					return err
				}
				got, err := pgx.CollectOneRow(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
				if err == nil {
					if id, v = fmt.Sprint(got[0]), fmt.Sprint(got[1]); id != fmt.Sprint(i%20+1) || v != id {
						err = fmt.Errorf("%v for %d", got, i)
					}
				}
				return err
			}) {
				require.NoError(t, err, change)
			}
		}
	})
}

// readings are the calls that a caller of a Reader makes, at random: those of [operations] that
// read, and more that share a Sync.
var readings = append(operations[:6:6], func(ctx context.Context, x *crosstalk, q querier) error { // an error within a group
	n := x.nonce()
	_, err := q.Exec(ctx, "select ('complaint ' || $1::bigint)::int", n)
	switch {
	case err == nil:
		return wrongf("no error, but another's result, for %d", n)
	case strings.Contains(err.Error(), "22P02"):
		return nil
	}
	return err
}, func(ctx context.Context, x *crosstalk, q querier) error { // a group
	n := x.nonce()
	var b pgx.Batch
	b.Queue("select $1::bigint", n)
	b.Queue("select $1::bigint + 1", n)
	br := q.SendBatch(ctx, &b)
	defer br.Close()
	for i := range int64(2) {
		var got int64
		if err := br.QueryRow().Scan(&got); err != nil {
			return err
		}
		if got != n+i {
			return wrongf("asked for %d, got %d", n+i, got)
		}
	}
	return br.Close()
}, func(ctx context.Context, x *crosstalk, q querier) error { // a write, which is refused
	_, err := q.Exec(ctx, "insert into ledger values ($1)", x.nonce())
	if err == nil {
		return wrongf("a Reader has written")
	}
	if strings.Contains(err.Error(), "25006") {
		return nil
	}
	return err
})

func TestCrossTalkOfReaders(t *testing.T) {
	srv := testserver.Postgres(t)
	leakcheck.Test(t)
	target := srv.Database(t)
	target.MustQuery(t, `
		create table ledger (id bigint);
		create table shape (id int primary key);
		insert into shape values (1);
		create function complain(n bigint) returns int language plpgsql as $$ begin raise exception 'complaint %', n; end $$;`)
	proxy := faultproxy.New(t, target.Addr())
	proxied := target
	proxied.Host, proxied.Port = proxy.Host(), proxy.Port()
	db := openAt(t, proxied.URL()+"&pool_reader_lanes=4")
	r := db.Reader()
	x := &crosstalk{db: db, fates: map[int64]fate{}}
	ctx, cancel := context.WithTimeout(context.Background(), *crosstalkTime+time.Minute)
	defer cancel()
	var stop atomic.Bool
	time.AfterFunc(*crosstalkTime, func() { stop.Store(true) })
	call := func(ctx context.Context) error {
		for !stop.Load() {
			err := readings[rand.IntN(len(readings))](ctx, x, r)
			switch {
			case err == nil:
				x.done.Add(1)
			case !expected(ctx, err):
				return fmt.Errorf("unexplained: %w", err)
			default:
				x.failed.Add(1)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	note := func(err error) {
		if err != nil {
			stop.Store(true)
			errs <- err
		}
	}
	for i := range 64 {
		if i%4 == 0 {
			wg.Go(func() { note(repaint.Run(ctx, call)) })
		} else {
			wg.Go(func() { note(call(ctx)) })
		}
	}
	wg.Go(func() { note(x.disturb(ctx, target, proxy, &stop)) })
	note(repaint.Run(ctx, func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for range 200 {
			g.Go(call)
		}
		return g.Wait()
	}))
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	st := r.Stats()
	t.Logf("%d done, %d failed, %d given up; %+v", x.done.Load(), x.failed.Load(), x.cancelled.Load(), st)
	require.NotZero(t, x.done.Load())
	require.NotZero(t, x.cancelled.Load())
	require.NotZero(t, st.Skipped)
	require.Less(t, st.Syncs, st.Statements)
	require.Equal(t, "0", strings.TrimSpace(target.MustQuery(t, "select count(*) from ledger")))
}

// A table that a statement of a group has read is locked until the group ends. So another statement
// can deadlock that alone would only have waited.
func TestADeadlockByAGroupIsNoReadersError(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		r := openReaders(t, ctx, "&options=-c%20deadlock_timeout%3D300ms")
		_, err := r.db.Exec(ctx, "create table a (id int); create table b (id int)")
		require.NoError(t, err)
		for _, table := range []string{"a", "b"} { // so that both are prepared
			require.NoError(t, r.QueryRow(ctx, "select count(*) from "+table).Scan(new(int)))
		}
		s, err := r.db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		_, err = s.Exec(ctx, "set deadlock_timeout = '1min'") // so that it isn't the one that gives way
		require.NoError(t, err)
		tx, err := s.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "lock table a, b in access exclusive mode")
		require.NoError(t, err)
		require.NoError(t, tx.Rollback(ctx))
		tx, err = s.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "lock table b in access exclusive mode")
		require.NoError(t, err)
		var locks func() error
		for _, err := range r.atOnce(t, ctx, c, 2, func() {
			until(t, ctx, "a is read, and b waited for", func() bool {
				var n int
				require.NoError(t, r.db.QueryRow(ctx, "select count(*) from pg_locks where not granted and relation = 'b'::regclass::oid").Scan(&n))
				return n > 0
			})
			locks = c.start(ctx, func(ctx context.Context) error {
				_, err := tx.Exec(ctx, "lock table a in access exclusive mode")
				return errors.Join(err, tx.Rollback(ctx))
			})
		}, func(ctx context.Context, i int) error {
			return r.QueryRow(ctx, "select count(*) from "+[]string{"a", "b"}[i]).Scan(new(int))
		}) {
			require.NoError(t, err)
		}
		require.NoError(t, locks())
	})
}

func TestAHookCannotMakeAReaderWrite(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		config, err := ParseConfig(testserver.Postgres(t).Database(t).URL())
		require.NoError(t, err)
		config.Conn.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
			return conn.Exec(ctx, "set default_transaction_read_only = off").Close()
		}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		shown(t, db)
		defer func() { require.NoError(t, db.Close(ctx)) }()
		err = db.Reader().Ping(ctx)
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "AfterConnect")
		require.NoError(t, db.Ping(ctx))
	})
}
