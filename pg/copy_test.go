package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A copier can copy.
type copier interface {
	querier
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	CopyFromReader(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error)
	CopyTo(ctx context.Context, w io.Writer, sql string) (pgconn.CommandTag, error)
}

// everyCopier calls fn with a DB, a session and a transaction that has not begun.
func everyCopier(t *testing.T, ctx context.Context, db *DB, fn func(q copier)) {
	fn(db)
	s, err := db.Acquire(ctx)
	require.NoError(t, err)
	fn(s)
	s.Release()
	tx, err := db.Begin(ctx)
	require.NoError(t, err)
	fn(tx.(*Tx))
	require.NoError(t, tx.Commit(ctx))
}

func TestCopyFromRows(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, `create schema "a b"; create table "a b"."T" (id int, "the text" text, at timestamptz, list int[], n numeric)`)
		table, columns := pgx.Identifier{"a b", "T"}, []string{"id", "the text", "at", "list", "n"}
		now := time.Now().Truncate(time.Microsecond)
		everyCopier(t, ctx, db, func(q copier) {
			const n = 2_000
			copied, err := q.CopyFrom(ctx, table, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) {
				if i%10 == 0 {
					return []any{i, nil, nil, nil, nil}, nil
				}
				return []any{i, strings.Repeat("é", i%50), now, []int{i, i + 1}, "12.50"}, nil
			}))
			require.NoError(t, err)
			require.EqualValues(t, n, copied)
			var rows, nulls, sum, letters int
			var at time.Time
			require.NoError(t, q.QueryRow(ctx, `select count(*), count(*) filter (where n is null), sum(list[2] - list[1]), sum(length("the text")), max(at) from "a b"."T" where n is null or n = 12.5`).
				Scan(&rows, &nulls, &sum, &letters, &at))
			require.Equal(t, []int{n, n / 10, n * 9 / 10}, []int{rows, nulls, sum})
			require.True(t, now.Equal(at))
			_, err = q.Exec(ctx, `truncate "a b"."T"`)
			require.NoError(t, err)
			copied, err = q.CopyFrom(ctx, table, columns, pgx.CopyFromRows(nil))
			require.NoError(t, err)
			require.Zero(t, copied)
		})
		require.EqualValues(t, 1, db.Stats().SessionOpens)
	})
}

func TestCopyFromSeq(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		target.MustQuery(t, "create table t (id int)")
		broken := errors.New("broken")
		for _, fail := range []error{broken, nil} {
			source, stop := CopyFromSeq(func(yield func([]any, error) bool) {
				for i := range 100 {
					if !yield([]any{i}, nil) {
						return
					}
				}
				if fail != nil {
					yield(nil, fail)
				}
			})
			n, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, source)
			stop()
			require.ErrorIs(t, err, fail)
			if fail == nil {
				require.EqualValues(t, 100, n)
			}
		}
		require.Equal(t, 100, count(t, ctx, db, "t"))
	})
}

// Data that are copied out and in again are the same.
func TestCopyThereAndBack(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table a as select i, repeat('x', i % 300) t from generate_series(1, 2000) i; create table b (like a)")
		everyCopier(t, ctx, db, func(q copier) {
			for _, format := range []string{"text", "csv", "binary"} {
				var out bytes.Buffer
				tag, err := q.CopyTo(ctx, &out, "copy a to stdout (format "+format+")")
				require.NoError(t, err)
				require.Equal(t, "COPY 2000", tag.String())
				tag, err = q.CopyFromReader(ctx, iotest.DataErrReader(iotest.HalfReader(&out)), "copy b from stdin (format "+format+")")
				require.NoError(t, err)
				require.Equal(t, "COPY 2000", tag.String())
				var n int
				require.NoError(t, q.QueryRow(ctx, "select count(*) from (select * from a except select * from b) x").Scan(&n))
				require.Zero(t, n)
				_, err = q.Exec(ctx, "truncate b")
				require.NoError(t, err)
			}
		})
		require.EqualValues(t, 1, db.Stats().SessionOpens)
	})
}

func TestCopyOutYieldsRowsAndCanBeLeft(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		n := 0
		for row, err := range s.CopyOut(ctx, "copy (select generate_series(1, 1000), null, '') to stdout csv") {
			require.NoError(t, err)
			n++
			require.Equal(t, fmt.Sprintf("%d,,\"\"\n", n), string(row))
		}
		require.Equal(t, 1000, n)
		for row, err := range s.CopyOut(ctx, "copy (select generate_series(1, 1000000000)) to stdout") {
			require.NoError(t, err)
			if string(row) == "10\n" {
				break
			}
		}
		require.NoError(t, s.Ping(ctx))
		for _, err = range s.CopyOut(ctx, "copy (select 1/(i - 2) from generate_series(1, 3) i) to stdout") {
		}
		var pgErr *pgconn.PgError
		require.ErrorAs(t, err, &pgErr)
		require.Equal(t, "22012", pgErr.Code)
		for _, err = range s.CopyOut(ctx, "copy t from stdin") {
		}
		require.ErrorIs(t, err, ErrUnsupported)
	})
}

func TestCopyErrorsLeaveTheSessionUsable(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int primary key)")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		var pgErr *pgconn.PgError
		code := func(err error) string {
			require.ErrorAs(t, err, &pgErr)
			return pgErr.Code
		}
		broken := errors.New("the disk is broken")
		for range 2 {
			_, err = s.CopyFromReader(ctx, strings.NewReader("1\n"), "copy missing from stdin")
			require.Equal(t, "42P01", code(err))
			_, err = s.CopyFromReader(ctx, strings.NewReader("1\nx\n"), "copy t from stdin")
			require.Equal(t, "22P02", code(err))
			// The server complains while there is a lot to come.
			_, err = s.CopyFromReader(ctx, strings.NewReader("x\n"+strings.Repeat("1\n", 100_000)), "copy t from stdin")
			require.Equal(t, "22P02", code(err))
			_, err = s.CopyFromReader(ctx, io.MultiReader(strings.NewReader("1\n"), iotest.ErrReader(broken)), "copy t from stdin")
			require.ErrorIs(t, err, broken)
			require.ErrorContains(t, err, "copy t from stdin")
			_, err = s.CopyFromReader(ctx, strings.NewReader("1\n"), "copy t to stdout")
			require.ErrorIs(t, err, ErrUnsupported)
			_, err = s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}, {"no number"}}))
			require.ErrorContains(t, err, `"id"`)
			_, err = s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1, 2}}))
			require.ErrorContains(t, err, "expected 1 values, got 2")
			_, err = s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}, {1}}))
			require.Equal(t, "23505", code(err))
			_, err = s.CopyTo(ctx, failingWriter{broken}, "copy (select generate_series(1, 1000000)) to stdout")
			require.ErrorIs(t, err, broken)
			require.Zero(t, count(t, ctx, db, "t"))
			require.NoError(t, s.Ping(ctx))
		}
		require.EqualValues(t, 1, db.Stats().SessionOpens)
	})
}

// endless is a reader of zeros, one on each line.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	n := len(p) &^ 1
	copy(p, bytes.Repeat([]byte("0\n"), n/2))
	return n, nil
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// A COPY that its caller gives up inserts nothing, wherever it is: while it waits for a lock, or
// for more data.
func TestCopyWhoseContextEnds(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=2")
		target.MustQuery(t, "create table t (id int)")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()

		other, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = other.Exec(ctx, "lock table t")
		require.NoError(t, err)
		mine, cancel := context.WithCancel(ctx)
		wait := c.start(ctx, func(context.Context) error {
			_, err := s.CopyFromReader(mine, strings.NewReader("1\n"), "copy t from stdin")
			return err
		})
		waiting(t, ctx, target, "copy t from stdin")
		cancel()
		require.ErrorIs(t, wait(), context.Canceled)
		require.NoError(t, other.Rollback(ctx))
		require.NoError(t, s.Ping(ctx))

		mine, cancel = context.WithCancel(ctx)
		r, w := io.Pipe()
		wait = c.start(ctx, func(context.Context) error {
			_, err := s.CopyFromReader(mine, r, "copy t from stdin")
			return err
		})
		written := colour{}.start(ctx, func(context.Context) error {
			_, err := fmt.Fprintln(w, "1")
			cancel()
			return errors.Join(err, w.Close())
		})
		require.ErrorIs(t, wait(), context.Canceled)
		require.NoError(t, written())
		require.NoError(t, s.Ping(ctx))
		require.Zero(t, count(t, ctx, db, "t"))
	})
}

// waiting waits until a statement waits for a lock.
func waiting(t *testing.T, ctx context.Context, target interface {
	MustQuery(t testing.TB, sql string) string
}, sql string) {
	until(t, ctx, sql+" to wait for a lock", func() bool {
		return target.MustQuery(t, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%"+sql+"%' and pid <> pg_backend_pid()") == "1"
	})
}

func TestCopyOccupiesItsSessionAndEndsWithIt(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		target.MustQuery(t, "create table t (id int)")
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		var inside error
		rolledBack := false
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) {
			if rolledBack {
				return nil, nil
			}
			_, inside = tx.Exec(ctx, "select 1")
			rolledBack = true
			require.NoError(t, tx.Rollback(ctx))
			return []any{1}, nil
		}))
		require.ErrorIs(t, inside, ErrInUse)
		require.Error(t, err)
		require.Zero(t, count(t, ctx, db, "t"))
	})
}

func TestCopyOnALostConnection(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (id int)")
		proxy.CutAfter(faultproxy.ToServer, 200_000)
		_, err := db.CopyFromReader(ctx, endless{}, "copy t from stdin")
		var lost *LostError
		require.ErrorAs(t, err, &lost)
		require.False(t, lost.MaybeApplied, "the end of the data was never sent")
		require.Zero(t, count(t, ctx, db, "t"))
		proxy.CutAfter(faultproxy.ToClient, 200_000)
		_, err = db.CopyTo(ctx, io.Discard, "copy (select generate_series(1, 1000000)) to stdout")
		require.ErrorIs(t, err, ErrConnLost)
		n, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}}))
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

// Each COPY asks for the types of the columns, because another session may have changed them, and
// the server doesn't always refuse binary data of another type. That costs no round trip: the
// driver sends the COPY before the answer has come.
func TestCopyFromKnowsTheColumnsAsTheyAre(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_sessions=1")
		target.MustQuery(t, "create table t (a int4, b int4)")
		copyOne := func(ctx context.Context) error {
			_, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"a", "b"}, pgx.CopyFromRows([][]any{{1, 2}}))
			return err
		}
		require.NoError(t, copyOne(ctx))
		for _, change := range []string{"int8", "float4", "numeric", "float8", "int4"} {
			target.MustQuery(t, "alter table t alter column b type "+change+" using b::"+change)
			require.NoError(t, copyOne(ctx), change)
			require.Equal(t, "2", target.MustQuery(t, "select distinct b from t"), change)
		}
		target.MustQuery(t, "alter table t rename column b to c")
		require.ErrorContains(t, copyOne(ctx), "42703")
		target.MustQuery(t, "alter table t rename column c to b")

		until(t, ctx, "the session to be ready again", func() bool { return db.Stats().IdleSessions == 1 })
		proxy.Stall(faultproxy.ToClient)
		wait := c.start(ctx, copyOne)
		running(t, ctx, target, "copy \"t\"")
		proxy.Resume()
		require.NoError(t, wait())

		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"nowhere"}, []string{"a"}, pgx.CopyFromRows([][]any{{1}}))
		require.ErrorContains(t, err, "42P01", "and not that the transaction has failed")
		require.NoError(t, tx.Rollback(ctx))
		require.Equal(t, 7, count(t, ctx, db, "t"))
		require.EqualValues(t, 1, db.Stats().SessionOpens)
	})
}

// A COPY that the server refuses at once never asks its source.
func TestSourceOfACopyThatIsRefusedIsNotAsked(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		target.MustQuery(t, "create table t (id int)")
		everyCopier(t, ctx, db, func(q copier) {
			inside := ""
			if tx, ok := q.(*Tx); ok {
				inside = "savepoint s"
				_, err := tx.Exec(ctx, inside)
				require.NoError(t, err)
			}
			back := func() {
				if inside != "" {
					_, err := q.Exec(ctx, "rollback to savepoint s")
					require.NoError(t, err)
				}
			}
			for _, refused := range []struct {
				table, column, code string
			}{{"none", "id", "42P01"}, {"t", "none", "42703"}} {
				asked := 0
				_, err := q.CopyFrom(ctx, pgx.Identifier{refused.table}, []string{refused.column}, pgx.CopyFromFunc(func() ([]any, error) {
					asked++
					return nil, errors.New("the source's own")
				}))
				require.Equal(t, refused.code, codeOf(err), "%v", err)
				require.NotContains(t, err.Error(), "the source's own")
				require.Zero(t, asked, refused.table)
				back()
			}
			reader := &countingReader{}
			_, err := q.CopyFromReader(ctx, reader, "copy none from stdin")
			require.Equal(t, "42P01", codeOf(err))
			require.Zero(t, reader.asked)
			back()
		})
	})
}

// countingReader counts how often it is asked, and always fails.
type countingReader struct{ asked int }

func (r *countingReader) Read([]byte) (int, error) {
	r.asked++
	return 0, errors.New("the reader's own")
}

func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// If a COPY fails only because its source has failed, the error doesn't have the server's error.
// But if the server fails by itself, and then the source, the error has both, the server's first.
func TestErrorsOfServerAndSource(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		target.MustQuery(t, `create function waits(int) returns bool language plpgsql as 'begin perform pg_advisory_xact_lock(7); return $1 > 0; end';
			create table t (id int check (waits(id)))`)
		broken := errors.New("the source is broken")
		fails := readerFunc(func([]byte) (int, error) { return 0, broken })
		everyCopier(t, ctx, db, func(q copier) {
			inTx := func(sql string) {
				if _, ok := q.(*Tx); ok {
					_, err := q.Exec(ctx, sql)
					require.NoError(t, err)
				}
			}
			inTx("savepoint s")
			_, err := q.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) { return nil, broken }))
			require.ErrorIs(t, err, broken)
			require.Empty(t, codeOf(err))
			inTx("rollback to savepoint s")
			_, err = q.CopyFromReader(ctx, fails, "copy t from stdin")
			require.ErrorIs(t, err, broken)
			require.ErrorContains(t, err, "producing the data of")
			require.Empty(t, codeOf(err))
			inTx("rollback to savepoint s")
		})

		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		watcher, unlock, pid, reads := openAt(t, target.URL()), lock(t, ctx, target), s.PID(), 0
		_, err = s.CopyFromReader(ctx, readerFunc(func(p []byte) (int, error) {
			if reads++; reads == 1 {
				return copy(p, strings.Repeat("-1\n", 5_000)), nil
			}
			unlock()
			for state := ""; state != "idle"; {
				if err := watcher.QueryRow(ctx, "select state from pg_stat_activity where pid = $1", int(pid)).Scan(&state); err != nil {
					return 0, err
				}
			}
			return 0, broken
		}), "copy t from stdin")
		require.Equal(t, "23514", codeOf(err), "%v", err)
		require.ErrorIs(t, err, broken)
		require.Regexp(t, "violates check constraint.*; then producing the data failed: the source is broken", err.Error())
		_, err = s.Exec(ctx, "select 1")
		require.NoError(t, err)
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Nothing is sent between two COPYs on a session, but what was noticed is undone.
func TestCopyFromTakesNoRoundTripForTheNextOwner(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, "create table t (a int)")
		tap, tapped := newTap(t, target)
		db := openAt(t, tapped.URL()+"&pool_sessions=1")
		for name, copies := range map[string]func() error{
			"rows": func() error {
				_, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"a"}, pgx.CopyFromRows([][]any{{1}}))
				return err
			},
			"reader": func() error {
				_, err := db.CopyFromReader(ctx, strings.NewReader("1\n"), "copy t from stdin")
				return err
			},
		} {
			require.NoError(t, copies(), name) // which may have to ask for types
			_, _ = tap.take(0)
			for range 3 {
				require.NoError(t, copies(), name)
				require.Equal(t, 1, db.Stats().IdleSessions, name)
			}
			_, server := tap.take(0)
			require.LessOrEqual(t, strings.Count(server, "ready:"), 2*3, "%s: a description and the COPY each:\n%s", name, server)
			require.NotContains(t, server, "DISCARD", name)
		}
		target.MustQuery(t, `create function spoil() returns trigger language plpgsql as $$ begin perform set_config('timezone', 'Asia/Tokyo', false); return new; end $$;
			create trigger spoil before insert on t for each row execute function spoil()`)
		var before, after string
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		require.NoError(t, s.QueryRow(ctx, "show timezone").Scan(&before))
		s.Release()
		_, err = db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"a"}, pgx.CopyFromRows([][]any{{1}}))
		require.NoError(t, err)
		s, err = db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		require.NoError(t, s.QueryRow(ctx, "show timezone").Scan(&after))
		require.Equal(t, before, after)
	})
}
