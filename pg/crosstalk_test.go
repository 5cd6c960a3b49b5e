package pg

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
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

var crosstalkTime = flag.Duration("crosstalk", 3*time.Second, "how long TestCrossTalk runs")

// crosstalk is a load in which every answer can be recognised: each statement carries a number that
// no other statement has, and its result, or its error, must show the number.
type crosstalk struct {
	db   *DB
	next atomic.Int64

	mu    sync.Mutex
	fates map[int64]fate

	done, failed, cancelled atomic.Int64
}

// A fate is what the test knows of an insert.
type fate uint8

const (
	certain fate = iota + 1 // acknowledged
	perhaps
	never
)

func (x *crosstalk) nonce() int64 { return x.next.Add(1) }

// note records the fate of an insert.
func (x *crosstalk) note(n int64, err error) {
	f := certain
	if err != nil {
		f = perhaps
		var lost *LostError
		if errors.As(err, &lost) && !lost.MaybeApplied {
			f = never
		}
	}
	x.mu.Lock()
	x.fates[n] = f
	x.mu.Unlock()
}

// wrong is the error of an answer that wasn't the caller's.
type wrong struct{ text string }

func (w *wrong) Error() string { return w.text }

func wrongf(format string, args ...any) error { return &wrong{fmt.Sprintf(format, args...)} }

// expected reports whether the test itself can have caused an error by disturbing the connections.
func expected(ctx context.Context, err error) bool {
	var pgErr *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, ErrConnLost), errors.As(err, &connect), errors.Is(err, pgx.ErrTxCommitRollback):
		return true
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return true
	case errors.As(err, &pgErr):
		// A plan that is stale in the middle of a transaction, and what follows from that; locks of
		// the schema changes.
		return pgErr.Code == "0A000" || pgErr.Code == "25P02" || pgErr.Code == "40P01" || pgErr.Code == "53300"
	}
	return false
}

const xtShape = "select $1::bigint as nonce, s.* from shape s where id = 1"

// operations are the calls that a caller makes, at random.
var operations = []func(ctx context.Context, x *crosstalk, q querier) error{
	func(ctx context.Context, x *crosstalk, q querier) error {
		n := x.nonce()
		var got int64
		if err := q.QueryRow(ctx, "select $1::bigint", n).Scan(&got); err != nil {
			return err
		}
		if got != n {
			return wrongf("asked for %d, got %d", n, got)
		}
		return nil
	},
	func(ctx context.Context, x *crosstalk, q querier) error { // a text that no caller has prepared
		n := x.nonce()
		var got int64
		if err := q.QueryRow(ctx, fmt.Sprintf("select %d::bigint", n)).Scan(&got); err != nil {
			return err
		}
		if got != n {
			return wrongf("asked for %d, got %d", n, got)
		}
		return nil
	},
	func(ctx context.Context, x *crosstalk, q querier) error { // a large result
		n, size := x.nonce(), int64(1+rand.IntN(300))
		if rand.IntN(10) == 0 {
			size = int64(1 + rand.IntN(5000)) // several chunks of memory, which are used again
		}
		rows, err := q.Query(ctx, "select $1::bigint, i, repeat('x', 20) from generate_series(1, $2::bigint) i", n, size)
		if err != nil {
			return err
		}
		count := int64(0)
		var got, i int64
		var text string
		_, err = pgx.ForEachRow(rows, []any{&got, &i, &text}, func() error {
			if count++; got != n || i != count || len(text) != 20 {
				return wrongf("row %d of %d: %d %d", count, n, got, i)
			}
			return nil
		})
		if err == nil && count != size {
			err = wrongf("%d rows, not %d", count, size)
		}
		return err
	},
	func(ctx context.Context, x *crosstalk, q querier) error { // an error
		n := x.nonce()
		_, err := q.Exec(ctx, "select complain($1)", n)
		var pgErr *pgconn.PgError
		switch {
		case err == nil:
			return wrongf("no error, but another's result, for %d", n)
		case errors.As(err, &pgErr) && pgErr.Code == "P0001":
			if pgErr.Message != fmt.Sprint("complaint ", n) {
				return wrongf("the error %q for %d", pgErr.Message, n)
			}
			return nil
		}
		return err
	},
	func(ctx context.Context, x *crosstalk, q querier) error { // a call that is given up at any moment
		limited, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(60_000))*time.Microsecond)
		defer cancel()
		n := x.nonce()
		var got int64
		err := q.QueryRow(limited, "select $1::bigint from pg_sleep($2)", n, float64(rand.IntN(8))/1000).Scan(&got)
		switch {
		case err == nil && got != n:
			return wrongf("asked for %d, got %d", n, got)
		case err != nil && errors.Is(err, context.DeadlineExceeded):
			x.cancelled.Add(1)
			return nil
		}
		return err
	},
	func(ctx context.Context, x *crosstalk, q querier) error { // a plan that gets stale
		n := x.nonce()
		rows, err := q.Query(ctx, xtShape, n)
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (int, error) {
			values, err := row.Values()
			if err == nil && (values[0] != n || len(values) != len(row.FieldDescriptions())) {
				err = wrongf("%v for %d", values, n)
			}
			return 0, err
		})
		return err
	},
	func(ctx context.Context, x *crosstalk, q querier) error {
		n := x.nonce()
		tag, err := q.Exec(ctx, "insert into ledger values ($1)", n)
		if err == nil && tag.String() != "INSERT 0 1" {
			return wrongf("the tag %s for an insert", tag)
		}
		x.note(n, err)
		return err
	},
	func(ctx context.Context, x *crosstalk, q querier) error { // a group
		a, b := x.nonce(), x.nonce()
		batch := new(pgx.Batch)
		batch.Queue("insert into ledger values ($1)", a)
		batch.Queue("select $1::bigint", b)
		batch.Queue("insert into ledger values ($1)", b)
		br := q.SendBatch(ctx, batch)
		var got int64
		_, err := br.Exec()
		if err == nil {
			if err = br.QueryRow().Scan(&got); err == nil && got != b {
				return wrongf("asked for %d, got %d", b, got)
			}
		}
		err = errors.Join(err, br.Close())
		x.note(a, err)
		x.note(b, err)
		return err
	},
}

// A querier has the methods that the lanes and a transaction have in common.
type querier interface {
	rower
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// transaction inserts two numbers, or rolls back.
func (x *crosstalk) transaction(ctx context.Context) error {
	tx, err := x.db.Begin(ctx)
	if err != nil {
		return err
	}
	ns := []int64{x.nonce(), x.nonce()}
	for _, n := range ns {
		var got int64
		if err = tx.QueryRow(ctx, "insert into ledger values ($1) returning id", n).Scan(&got); err != nil {
			break
		}
		if got != n {
			return wrongf("asked for %d, got %d", n, got)
		}
	}
	if err == nil && rand.IntN(2) == 0 {
		err = tx.Commit(ctx)
		for _, n := range ns {
			x.note(n, err)
		}
		return err
	}
	x.mu.Lock()
	for _, n := range ns {
		x.fates[n] = never
	}
	x.mu.Unlock()
	return errors.Join(err, tx.Rollback(ctx))
}

// session sets something and must find it again.
func (x *crosstalk) session(ctx context.Context) error {
	s, err := x.db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer s.Release()
	name := fmt.Sprint("session ", x.nonce())
	var before, after string
	if err := s.QueryRow(ctx, "show application_name").Scan(&before); err != nil {
		return err
	}
	if _, err := s.Exec(ctx, "set application_name to '"+name+"'"); err != nil {
		return err
	}
	if err := s.QueryRow(ctx, "show application_name").Scan(&after); err != nil {
		return err
	}
	if before != "" || after != name {
		return wrongf("settings %q and %q, not %q", before, after, name)
	}
	return nil
}

// stream reads rows as they come, and leaves them at some point.
func (x *crosstalk) stream(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(400))*time.Millisecond)
	defer cancel()
	n, size, leave := x.nonce(), 1+rand.IntN(20_000), rand.IntN(40_000)
	err := func() error {
		rows, err := x.db.Stream(limited, "select $1::bigint, generate_series(1, $2::int)", n, size)
		if err != nil {
			return err
		}
		defer rows.Close()
		var got int64
		var i, count int
		for count < leave && rows.Next() {
			if err := rows.Scan(&got, &i); err != nil {
				return err
			}
			if count++; got != n || i != count {
				return wrongf("row %d of a stream: %d %d for %d", count, got, i, n)
			}
		}
		if rows.Err() == nil && count != min(size, leave) {
			return wrongf("%d rows of a stream, not %d", count, min(size, leave))
		}
		return rows.Err()
	}()
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		x.cancelled.Add(1)
		return nil
	}
	return err
}

// copies inserts with COPY, sometimes giving it up.
func (x *crosstalk) copies(ctx context.Context) error {
	numbers := make([]int64, 1+rand.IntN(50))
	for i := range numbers {
		numbers[i] = x.nonce()
	}
	broken := errors.New("broken")
	breaks := rand.IntN(3) == 0
	n, err := x.db.CopyFrom(ctx, pgx.Identifier{"ledger"}, []string{"id"}, pgx.CopyFromSlice(len(numbers), func(i int) ([]any, error) {
		if breaks && i == len(numbers)-1 {
			return nil, broken
		}
		return []any{numbers[i]}, nil
	}))
	if err == nil && (breaks || n != int64(len(numbers))) {
		return wrongf("%d rows copied, not %d", n, len(numbers))
	}
	for _, id := range numbers {
		if x.note(id, err); errors.Is(err, broken) {
			x.mu.Lock()
			x.fates[id] = never
			x.mu.Unlock()
		}
	}
	if errors.Is(err, broken) {
		return nil
	}
	return err
}

// call does something at random until the context ends. It returns an error only for a wrong
// answer, or for an error that nothing explains.
func (x *crosstalk) call(ctx context.Context, stop *atomic.Bool) error {
	for !stop.Load() {
		var err error
		switch k := rand.IntN(40); k {
		case 0, 1:
			err = x.transaction(ctx)
		case 2:
			err = x.session(ctx)
		case 3, 4:
			err = x.stream(ctx)
		case 5:
			err = x.copies(ctx)
		default:
			err = operations[k%len(operations)](ctx, x, x.db)
		}
		var bad *wrong
		switch {
		case errors.As(err, &bad):
			return err
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

// disturb disturbs the connections in every way that it can.
func (x *crosstalk) disturb(ctx context.Context, target testserver.Target, proxy *faultproxy.Proxy, stop *atomic.Bool) error {
	direct, err := pgx.Connect(ctx, target.URL())
	if err != nil {
		return err
	}
	defer direct.Close(context.WithoutCancel(ctx))
	for k := 0; !stop.Load(); k++ {
		select {
		case <-time.After(time.Duration(20+rand.IntN(40)) * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
		switch k % 7 {
		case 0:
			_, err = direct.Exec(ctx, fmt.Sprintf("alter table shape add column c%d text default 'c'", k))
		case 1:
			_, err = direct.Exec(ctx, fmt.Sprintf("alter table shape drop column c%d", k-1))
		case 2:
			_, err = direct.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() order by random() limit 1")
		case 3:
			proxy.CutAfter(faultproxy.ToServer, int64(rand.IntN(4000)))
		case 4:
			proxy.CutAfter(faultproxy.ToClient, int64(rand.IntN(9000)))
		case 5:
			proxy.Delay(time.Millisecond, time.Millisecond)
		case 6:
			proxy.Delay(0, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestCrossTalk(t *testing.T) {
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
	db := openAt(t, proxied.URL()+"&pool_lanes=4&pool_sessions=6")
	x := &crosstalk{db: db, fates: map[int64]fate{}}
	ctx, cancel := context.WithTimeout(context.Background(), *crosstalkTime+time.Minute)
	defer cancel()
	var stop atomic.Bool
	time.AfterFunc(*crosstalkTime, func() { stop.Store(true) })

	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	note := func(err error) {
		if err != nil {
			stop.Store(true)
			errs <- err
		}
	}
	for i := range 64 {
		call := func(ctx context.Context) error { return x.call(ctx, &stop) }
		if i%4 == 0 { // a loop of its own, which reads for itself
			wg.Go(func() { note(repaint.Run(ctx, call)) })
		} else {
			wg.Go(func() { note(call(ctx)) })
		}
	}
	wg.Go(func() { note(x.disturb(ctx, target, proxy, &stop)) })
	note(repaint.Run(ctx, func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for range 500 {
			g.Go(func(ctx context.Context) error { return x.call(ctx, &stop) })
		}
		return g.Wait()
	}))
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	t.Logf("%d done, %d failed, %d given up; %+v", x.done.Load(), x.failed.Load(), x.cancelled.Load(), db.Stats())
	if t.Failed() {
		return
	}
	proxy.Delay(0, 0)
	closing, end := context.WithTimeout(context.Background(), 30*time.Second)
	defer end()
	require.NoError(t, db.Close(closing))
	got := map[int64]int{}
	for _, line := range strings.Fields(target.MustQuery(t, "select id from ledger")) {
		n, err := strconv.ParseInt(line, 10, 64)
		require.NoError(t, err)
		got[n]++
	}
	counts := map[fate]int{}
	for n, f := range x.fates {
		counts[f]++
		switch f {
		case certain:
			require.Equal(t, 1, got[n], "an insert that was acknowledged")
		case perhaps:
			require.LessOrEqual(t, got[n], 1, "an insert whose fate is unknown")
		case never:
			require.Zero(t, got[n], "an insert that had no effect")
		}
		delete(got, n)
	}
	require.Empty(t, got, "inserts that nobody made")
	t.Logf("inserts: %d acknowledged, %d unknown, %d not made", counts[certain], counts[perhaps], counts[never])
	require.NotZero(t, counts[certain])
	require.NotZero(t, x.failed.Load())
	require.NotZero(t, x.cancelled.Load())
}
