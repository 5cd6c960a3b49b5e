package pg

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestServerTimeout(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		for _, q := range []querier{db, s} {
			for range 2 {
				_, err := q.Exec(ctx, "select pg_sleep($1)", Timeout(20*time.Millisecond), 30.0)
				var pgErr *pgconn.PgError
				require.ErrorAs(t, err, &pgErr)
				require.Equal(t, "57014", pgErr.Code)
				require.Contains(t, pgErr.Message, "statement timeout")
				_, err = q.Exec(ctx, "select pg_sleep(30)", Timeout(20*time.Millisecond))
				require.ErrorAs(t, err, &pgErr)
				var inside, after string
				require.NoError(t, q.QueryRow(ctx, "select current_setting('statement_timeout')", Timeout(time.Minute)).Scan(&inside))
				require.NoError(t, q.QueryRow(ctx, "show statement_timeout").Scan(&after))
				require.Equal(t, []string{"1min", "0"}, []string{inside, after}, "it is for one statement only")
			}
		}
		_, err = db.Exec(ctx, "select 1; select 2", Timeout(time.Second))
		require.ErrorIs(t, err, ErrUnsupported)
		require.EqualValues(t, 2, db.Stats().Connects+db.Stats().SessionOpens)
	})
}

func TestAStatementCanBeReadOnly(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=1&pool_sessions=2")
		_, err := db.Exec(ctx, `create table t (v int); create sequence s;
			create function write(n int) returns int language plpgsql as $$ begin insert into t values (n); return n; end $$`)
		require.NoError(t, err)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		code := func(err error) string {
			var pgErr *pgconn.PgError
			require.ErrorAs(t, err, &pgErr)
			return pgErr.Code
		}
		type streamer interface {
			Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
		}
		for _, q := range []querier{db, s} {
			for range 2 {
				_, err := q.Exec(ctx, "select write($1)", pgx.ReadOnly, 7)
				require.Equal(t, "25006", code(err))
				_, err = q.Exec(ctx, "select setval('s', 3)", pgx.ReadOnly, Timeout(time.Minute))
				require.Equal(t, "25006", code(err))
				_, err = q.Exec(ctx, "select set_config('transaction_read_only', 'off', true), write(1)", pgx.ReadOnly)
				require.Error(t, err)
				_, err = q.Exec(ctx, "set transaction read write", pgx.ReadOnly)
				require.Error(t, err)
				rows, err := q.(streamer).Stream(ctx, "select write(generate_series(1, 3))", pgx.ReadOnly)
				if err == nil {
					rows.Close()
					err = rows.Err()
				}
				require.Equal(t, "25006", code(err))
				var n int
				require.NoError(t, q.QueryRow(ctx, "select count(*) from t where v <> $1", pgx.ReadOnly, 8).Scan(&n))
				require.Zero(t, n)
				rows, err = q.(streamer).Stream(ctx, "select generate_series(1, $1)", Timeout(time.Minute), pgx.ReadOnly, 3)
				require.NoError(t, err)
				got, err := pgx.CollectRows(rows, pgx.RowTo[int])
				require.NoError(t, err)
				require.Equal(t, []int{1, 2, 3}, got, "and no rows of what went before")
				_, err = q.Exec(ctx, "select write($1)", 7)
				require.NoError(t, err, "it is for one statement only")
				_, err = q.Exec(ctx, "delete from t")
				require.NoError(t, err)
			}
			_, err := q.Exec(ctx, "select 1; select 2", pgx.ReadOnly)
			require.ErrorIs(t, err, ErrUnsupported)
			_, err = q.Exec(ctx, "select 1", pgx.ReadWrite)
			require.ErrorIs(t, err, ErrUnsupported)
		}
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "select 1", pgx.ReadOnly)
		require.ErrorIs(t, err, ErrUnsupported)
		require.NoError(t, tx.Rollback(ctx))
	})
}

func TestTimeoutIsRefusedInATransaction(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "select $1::int", Timeout(time.Second), 1)
		require.ErrorIs(t, err, ErrUnsupported)
		require.NoError(t, tx.Rollback(ctx))
	})
}

func TestPreparedByName(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		for i, sql := range []string{"select $1::int + 1", "select $1::int + 2"} {
			sd, err := s.Prepare(ctx, "plus", sql)
			require.NoError(t, err)
			require.Equal(t, []uint32{23}, sd.ParamOIDs)
			require.Len(t, sd.Fields, 1)
			var got int
			require.NoError(t, s.QueryRow(ctx, "plus", 40).Scan(&got))
			require.Equal(t, 41+i, got)
		}
		_, err = s.Prepare(ctx, "bad", "selec")
		require.ErrorContains(t, err, "selec")
		require.NoError(t, s.Deallocate(ctx, "plus"))
		require.Error(t, s.QueryRow(ctx, "plus", 40).Scan(new(int)))
		_, err = s.Prepare(ctx, "plus", "select 1")
		require.NoError(t, err)
		s.Release()
		s, err = db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		_, err = s.Exec(ctx, "plus")
		require.Error(t, err, "a name is its session's")
	})
}

func TestCursor(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		for range 2 {
			require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
				one, err := tx.(*Tx).Cursor(ctx, "select generate_series(1, $1::int)", 25)
				require.NoError(t, err)
				two, err := tx.(*Tx).Cursor(ctx, "select generate_series(1, 1000000000)")
				require.NoError(t, err)
				var sizes []int
				for next := 1; ; {
					rows, err := one.Fetch(ctx, 10)
					require.NoError(t, err)
					got, err := pgx.CollectRows(rows, pgx.RowTo[int])
					require.NoError(t, err)
					sizes = append(sizes, len(got))
					for _, i := range got {
						require.Equal(t, next, i)
						next++
					}
					if len(got) == 0 {
						break
					}
					rows, err = two.Fetch(ctx, 1)
					require.NoError(t, err)
					rows.Close()
				}
				require.Equal(t, []int{10, 10, 5, 0}, sizes)
				require.NoError(t, two.Close(ctx))
				require.NoError(t, two.Close(ctx))
				_, err = two.Fetch(ctx, 1)
				require.ErrorIs(t, err, ErrClosed)
				return nil
			}))
		}
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.(*Tx).Cursor(ctx, "selec 1")
		require.Error(t, err)
		require.NoError(t, tx.Rollback(ctx))
		require.EqualValues(t, 1, db.Stats().SessionOpens)
	})
}

// recorder is a tracer of everything, which checks that each end has the context of its start.
type recorder struct {
	LogTracer
	mu     sync.Mutex
	events []string
}

type recorderKey struct{}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

func (r *recorder) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.note("start %s %v", data.SQL, data.Args)
	return context.WithValue(r.LogTracer.TraceQueryStart(ctx, conn, data), recorderKey{}, data.SQL)
}

func (r *recorder) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	r.note("end %v %s %v", ctx.Value(recorderKey{}), data.CommandTag, data.Err != nil)
	r.LogTracer.TraceQueryEnd(ctx, conn, data)
}

func TestTracerIsToldOfEverything(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, "create table t (id int)")
		config, err := ParseConfig(target.URL())
		require.NoError(t, err)
		var log bytes.Buffer
		var writing sync.Mutex
		r := &recorder{LogTracer: LogTracer{Logger: slog.New(slog.NewTextHandler(lockedWriter{&writing, &log}, &slog.HandlerOptions{Level: slog.LevelDebug})), Slow: time.Nanosecond}}
		config.Tracer = r
		db, err := OpenConfig(config)
		require.NoError(t, err)
		_, err = db.Exec(ctx, "select $1::int", 1)
		require.NoError(t, err)
		require.Error(t, db.QueryRow(ctx, "select 1/$1::int", 0).Scan(new(int)))
		rows, err := db.Stream(ctx, "select generate_series(1, 3)")
		require.NoError(t, err)
		r.note("streaming")
		for rows.Next() {
		}
		require.Equal(t, []string{
			"start select $1::int [1]", "end select $1::int SELECT 1 false",
			"start select 1/$1::int [0]", "end select 1/$1::int  true",
			"start select generate_series(1, 3) []", "streaming", "end select generate_series(1, 3) SELECT 3 false",
		}, r.events)
		require.NoError(t, db.SendBatch(ctx, batchOf("select 4", "select 5")).Close())
		_, err = db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}}))
		require.NoError(t, err)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		_, err = s.Prepare(ctx, "six", "select 6")
		require.NoError(t, err)
		s.Release()
		require.NoError(t, db.Close(ctx))
		writing.Lock()
		defer writing.Unlock()
		text := log.String()
		for _, part := range []string{
			`level=WARN msg=query`, `level=ERROR msg=query`, `sql="select 1/$1::int"`, "division by zero", "msg=batch", `msg="query of a batch"`, `sql="select 5"`,
			"msg=connect", `sql="copy \"t\""`, `tag="COPY 1"`, "msg=prepare", "took=",
		} {
			require.Contains(t, text, part)
		}
		require.False(t, slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return strings.Contains(line, "repaint:") }), "no password")
	})
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}
