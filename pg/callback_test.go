package pg

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// errBoom is the value of the panics in these tests.
var errBoom = errors.New("boom")

// A fuse makes a function panic, or exit its goroutine, once it is lit.
type fuse struct {
	lit    atomic.Bool
	goexit bool
}

func (f *fuse) burn() {
	if !f.lit.Swap(false) {
		return
	}
	if f.goexit {
		runtime.Goexit()
	}
	panic(errBoom)
}

// panickingTracer is a tracer with one method that panics.
type panickingTracer struct {
	*fuse
	in string
}

func (p panickingTracer) at(method string) {
	if p.in == method {
		p.burn()
	}
}

func (p panickingTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	p.at("TraceQueryStart")
	return ctx
}
func (p panickingTracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {
	p.at("TraceQueryEnd")
}
func (p panickingTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	p.at("TraceBatchStart")
	return ctx
}
func (p panickingTracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	p.at("TraceBatchQuery")
}
func (p panickingTracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {
	p.at("TraceBatchEnd")
}
func (p panickingTracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	p.at("TraceCopyFromStart")
	return ctx
}
func (p panickingTracer) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {
	p.at("TraceCopyFromEnd")
}
func (p panickingTracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	p.at("TracePrepareStart")
	return ctx
}
func (p panickingTracer) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {
	p.at("TracePrepareEnd")
}
func (p panickingTracer) TraceConnectStart(ctx context.Context, _ pgx.TraceConnectStartData) context.Context {
	p.at("TraceConnectStart")
	return ctx
}
func (p panickingTracer) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) {
	p.at("TraceConnectEnd")
}

// panickingValue is an argument whose method panics.
type panickingValue struct{ *fuse }

func (p panickingValue) TextValue() (pgtype.Text, error) {
	p.burn()
	return pgtype.Text{String: "fine", Valid: true}, nil
}

type panickingRewriter struct{ *fuse }

func (p panickingRewriter) RewriteQuery(_ context.Context, _ *pgx.Conn, sql string, args []any) (string, []any, error) {
	p.burn()
	return sql, args, nil
}

type panickingScanner struct{ *fuse }

func (p panickingScanner) ScanRow(pgx.Rows) error {
	p.burn()
	return nil
}

type panickingReader struct{ *fuse }

func (p panickingReader) Read([]byte) (int, error) {
	p.burn()
	return 0, errors.New("there is nothing")
}

type panickingWriter struct{ *fuse }

func (p panickingWriter) Write(b []byte) (int, error) {
	p.burn()
	return len(b), nil
}

// outcome calls fn and returns its error, or the error that it panics with.
func outcome(fn func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			panic(r)
		}
	}()
	return fn()
}

// do makes the call during which the function panics.
type do func(ctx context.Context, db *DB, f *fuse) error

func execs(sql string) do {
	return func(ctx context.Context, db *DB, _ *fuse) error {
		_, err := db.Exec(ctx, sql)
		return err
	}
}

// firstInTx does something as the first statement of a transaction. The transaction must then be
// usable: it ends.
func firstInTx(fn func(ctx context.Context, tx *Tx, f *fuse) error) do {
	return func(ctx context.Context, db *DB, f *fuse) error {
		tx, err := db.beginTx(ctx, pgx.TxOptions{})
		if err != nil {
			return err
		}
		err = outcome(func() error { return fn(ctx, tx, f) })
		if back := tx.Rollback(ctx); back != nil && !errors.Is(back, pgx.ErrTxClosed) {
			return fmt.Errorf("the rollback: %w (%v)", back, err)
		}
		return err
	}
}

func copies3(f *fuse) pgx.CopyFromSource {
	n := 0
	return pgx.CopyFromFunc(func() ([]any, error) {
		if n++; n == 2 {
			f.burn()
		}
		if n > 3 {
			return nil, nil
		}
		return []any{"x"}, nil
	})
}

func TestPanicsOfCallbacksAreTheirCallers(t *testing.T) {
	tracing := func(method string, fn do) callbackCase {
		return callbackCase{method, func(c *Config, f *fuse) { c.Tracer = panickingTracer{f, method} }, fn}
	}
	none := func(*Config, *fuse) {}
	copyFrom := func(ctx context.Context, db *DB, f *fuse) error {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"words"}, []string{"word"}, copies3(f))
		return err
	}
	query := func(ctx context.Context, db *DB, f *fuse) error {
		_, err := db.Query(ctx, "select $1::text", panickingValue{f})
		return err
	}
	batch := func(ctx context.Context, db *DB, f *fuse) error {
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue("select 2")
		return db.SendBatch(ctx, b).Close()
	}
	cases := []callbackCase{
		{"AfterConnect", func(c *Config, f *fuse) {
			c.Conn.AfterConnect = func(context.Context, *pgconn.PgConn) error { f.burn(); return nil }
		}, execs("select 1")},
		{"AfterConnect of a session", func(c *Config, f *fuse) {
			c.Conn.AfterConnect = func(context.Context, *pgconn.PgConn) error { f.burn(); return nil }
		}, firstInTx(func(context.Context, *Tx, *fuse) error { return nil })},
		{"AfterConnect of a pgx.Conn", func(c *Config, f *fuse) {
			c.AfterConnect = func(context.Context, *pgx.Conn) error { f.burn(); return nil }
		}, execs("select 1")},
		{"ValidateConnect", func(c *Config, f *fuse) {
			c.Conn.ValidateConnect = func(context.Context, *pgconn.PgConn) error { f.burn(); return nil }
		}, execs("select 1")},
		{"LookupFunc", func(c *Config, f *fuse) {
			c.Conn.LookupFunc = func(_ context.Context, host string) ([]string, error) { f.burn(); return []string{host}, nil }
		}, execs("select 1")},
		tracing("TraceConnectStart", execs("select 1")),
		tracing("TraceConnectEnd", execs("select 1")),
		{"OnNotice", func(c *Config, f *fuse) {
			c.Conn.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { f.burn() }
		}, execs("do $$ begin raise notice 'by the way'; end $$")},
		{"OnNotice of a statement that fails", func(c *Config, f *fuse) {
			c.Conn.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { f.burn() }
		}, execs("do $$ begin raise notice 'by the way'; raise exception 'no'; end $$")},
		{"OnNotice of a stream", func(c *Config, f *fuse) {
			c.Conn.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { f.burn() }
		}, func(ctx context.Context, db *DB, _ *fuse) error {
			rows, err := db.Stream(ctx, "select note(n) from generate_series(1, 3) n")
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return rows.Err()
		}},
		{"OnNotification", func(c *Config, f *fuse) {
			c.Conn.OnNotification = func(*pgconn.PgConn, *pgconn.Notification) { f.burn() }
		}, func(ctx context.Context, db *DB, _ *fuse) error {
			s, err := db.Acquire(ctx)
			if err != nil {
				return err
			}
			defer s.Release()
			_, err = s.Exec(ctx, "listen news; notify news")
			return errors.Join(err, s.Ping(ctx))
		}},
		tracing("TraceQueryStart", execs("select 1")),
		tracing("TraceQueryEnd", execs("select 1")),
		{"TraceQueryEnd of a stream", func(c *Config, f *fuse) { c.Tracer = panickingTracer{f, "TraceQueryEnd"} },
			func(ctx context.Context, db *DB, _ *fuse) error {
				rows, err := db.Stream(ctx, "select generate_series(1, 3)")
				if err != nil {
					return err
				}
				rows.Close()
				return nil
			}},
		tracing("TraceBatchStart", batch),
		tracing("TraceBatchQuery", batch),
		tracing("TraceBatchEnd", batch),
		{"TraceBatchEnd of a batch that begins a transaction", func(c *Config, f *fuse) { c.Tracer = panickingTracer{f, "TraceBatchEnd"} },
			func(ctx context.Context, db *DB, _ *fuse) error {
				b := &pgx.Batch{}
				b.BeginTx(pgx.TxOptions{})
				b.Queue("select 1")
				return db.SendBatch(ctx, b).Close()
			}},
		tracing("TraceCopyFromStart", copyFrom),
		tracing("TraceCopyFromEnd", copyFrom),
		tracing("TracePrepareStart", firstInTx(func(ctx context.Context, tx *Tx, _ *fuse) error {
			_, err := tx.Prepare(ctx, "p", "select 1")
			return err
		})),
		tracing("TracePrepareEnd", firstInTx(func(ctx context.Context, tx *Tx, _ *fuse) error {
			_, err := tx.Prepare(ctx, "p", "select 1")
			return err
		})),
		{"TraceQueryStart of a commit", none, func(ctx context.Context, db *DB, f *fuse) error {
			return commitsOver(ctx, db, f)
		}},
		{"RegisterTypes", func(c *Config, f *fuse) { c.RegisterTypes = func(*pgtype.Map) { f.burn() } }, query},
		{"an argument", none, query},
		{"an argument with the mode exec", none, func(ctx context.Context, db *DB, f *fuse) error {
			_, err := db.Exec(ctx, "select $1::text", pgx.QueryExecModeExec, panickingValue{f})
			return err
		}},
		{"a rewriter", none, func(ctx context.Context, db *DB, f *fuse) error {
			_, err := db.Exec(ctx, "select 1", panickingRewriter{f})
			return err
		}},
		{"an argument of a transaction's first statement", none, firstInTx(func(ctx context.Context, tx *Tx, f *fuse) error {
			return outcome(func() error {
				_, err := tx.Exec(ctx, "select $1::text", panickingValue{f})
				return err
			})
		})},
		{"an argument of a transaction's first statement, then another", none, firstInTx(func(ctx context.Context, tx *Tx, f *fuse) error {
			err := outcome(func() error {
				_, err := tx.Exec(ctx, "select $1::text", panickingValue{f})
				return err
			})
			if _, again := tx.Exec(ctx, "select 1"); again != nil {
				return again
			}
			if end := tx.Commit(ctx); end != nil {
				return end
			}
			return err
		})},
		{"an argument of a batch in a transaction", none, firstInTx(func(ctx context.Context, tx *Tx, f *fuse) error {
			b := &pgx.Batch{}
			b.Queue("select $1::text", panickingValue{f})
			return tx.SendBatch(ctx, b).Close()
		})},
		{"a batch's function", none, func(ctx context.Context, db *DB, f *fuse) error {
			b := &pgx.Batch{}
			b.Queue("select 1").QueryRow(func(pgx.Row) error { f.burn(); return nil })
			return db.SendBatch(ctx, b).Close()
		}},
		{"a scanner", none, func(ctx context.Context, db *DB, f *fuse) error {
			return db.QueryRow(ctx, "select 1").Scan(panickingScanner{f})
		}},
		{"a copy's source", none, copyFrom},
		{"a value of a copy's source", none, func(ctx context.Context, db *DB, f *fuse) error {
			_, err := db.CopyFrom(ctx, pgx.Identifier{"words"}, []string{"word"}, pgx.CopyFromRows([][]any{{panickingValue{f}}}))
			return err
		}},
		{"a copy's source in a transaction", none, firstInTx(func(ctx context.Context, tx *Tx, f *fuse) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"words"}, []string{"word"}, copies3(f))
			return err
		})},
		{"a copy's reader", none, func(ctx context.Context, db *DB, f *fuse) error {
			_, err := db.CopyFromReader(ctx, panickingReader{f}, "copy words from stdin")
			return err
		}},
		{"a copy's writer", none, func(ctx context.Context, db *DB, f *fuse) error {
			_, err := db.CopyTo(ctx, panickingWriter{f}, "copy (select 1) to stdout")
			return err
		}},
		{"the body of a loop over a copy", none, func(ctx context.Context, db *DB, f *fuse) error {
			for _, err := range db.CopyOut(ctx, "copy (select generate_series(1, 1000)) to stdout") {
				f.burn()
				return err
			}
			return nil
		}},
	}
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) { bothColours(t, one.run) })
	}
}

// commitsOver commits a transaction of a session with a tracer that panics. The session isn't left
// in the transaction.
func commitsOver(ctx context.Context, db *DB, f *fuse) error {
	f.lit.Store(false)
	db.config.Tracer = panickingTracer{f, "TraceQueryStart"}
	s, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer s.Release()
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, "insert into words values ('of the commit that panics')"); err != nil {
		return err
	}
	f.lit.Store(true)
	err = outcome(func() error { return tx.Commit(ctx) })
	var n int
	if again := s.QueryRow(ctx, "select count(*) from words where word like 'of the commit%'").Scan(&n); again != nil || n != 0 {
		return fmt.Errorf("%d rows, %w", n, errors.Join(again, errors.New("the transaction isn't over")))
	}
	return err
}

// A callbackCase is a function of the application that panics when something is done.
type callbackCase struct {
	name string
	set  func(*Config, *fuse)
	do   do
}

func (one callbackCase) run(t *testing.T, ctx context.Context, c colour) {
	target := testserver.Postgres(t).Database(t)
	admin := openAt(t, target.URL())
	_, err := admin.Exec(ctx, `create table words (word text);
		create function note(n int) returns int language plpgsql as $$ begin raise notice 'of %', n; return n; end $$`)
	require.NoError(t, err)
	config, err := ParseConfig(target.URL() + "&pool_lanes=1&pool_sessions=1")
	require.NoError(t, err)
	f := new(fuse)
	one.set(config, f)
	db, err := OpenConfig(config)
	require.NoError(t, err)
	f.lit.Store(true)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err = outcome(func() error { return one.do(ctx, db, f) })
	require.ErrorIs(t, err, errBoom)
	require.False(t, f.lit.Load())

	// Nothing else is disturbed, and the lane and the session have their places back.
	for range 3 {
		_, err = db.Exec(ctx, "select 1")
		require.NoError(t, err)
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		var n int
		require.NoError(t, tx.QueryRow(ctx, "select count(*) from words").Scan(&n))
		require.LessOrEqual(t, n, 3)
		require.NoError(t, tx.Commit(ctx))
	}
	require.NoError(t, db.Close(ctx))
}

// A function that a goroutine of the driver calls can't end that goroutine.
func TestGoexitOfCallbacks(t *testing.T) {
	for name, set := range map[string]func(*Config, *fuse){
		"AfterConnect": func(c *Config, f *fuse) {
			c.Conn.AfterConnect = func(context.Context, *pgconn.PgConn) error { f.burn(); return nil }
		},
		"AfterConnect of a pgx.Conn": func(c *Config, f *fuse) {
			c.AfterConnect = func(context.Context, *pgx.Conn) error { f.burn(); return nil }
		},
		"TraceConnectEnd": func(c *Config, f *fuse) { c.Tracer = panickingTracer{f, "TraceConnectEnd"} },
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				config, err := ParseConfig(testserver.Postgres(t).Database(t).URL() + "&pool_lanes=1&pool_sessions=1")
				require.NoError(t, err)
				f := &fuse{goexit: true}
				set(config, f)
				db, err := OpenConfig(config)
				require.NoError(t, err)
				f.lit.Store(true)
				_, err = db.Exec(ctx, "select 1")
				require.ErrorIs(t, err, loop.ErrGoexit)
				f.lit.Store(true)
				_, err = db.Begin(ctx)
				require.ErrorIs(t, err, loop.ErrGoexit)
				_, err = db.Exec(ctx, "select 1")
				require.NoError(t, err)
				tx, err := db.Begin(ctx)
				require.NoError(t, err)
				require.NoError(t, tx.Rollback(ctx))
				require.NoError(t, db.Close(ctx))
			})
		})
	}
}
