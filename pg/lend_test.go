package pg

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// A conn is lent again and again in a session, and leaves nothing for the next owner.
func TestLentConn(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		_, err = s.Exec(ctx, "create temp table mine (id int, name text)")
		require.NoError(t, err)
		var first *pgx.Conn
		for range 2 { // the second time with the statements of the first
			require.NoError(t, s.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
				if first == nil {
					first = conn
				}
				require.Same(t, first, conn)
				require.Equal(t, s.PID(), conn.PgConn().PID())
				n, err := conn.CopyFrom(ctx, pgx.Identifier{"mine"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{1, "a"}, {2, "b"}}))
				require.NoError(t, err)
				require.EqualValues(t, 2, n)
				rows, _ := conn.Query(ctx, "select name from mine where id >= $1 order by id limit 2", 1)
				names, err := pgx.CollectRows(rows, pgx.RowTo[string])
				require.NoError(t, err)
				require.Len(t, names, 2)
				b := &pgx.Batch{}
				b.Queue("select 1")
				b.Queue("select $1::int", 2)
				require.NoError(t, conn.SendBatch(ctx, b).Close())
				_, err = conn.Exec(ctx, "select 1/0")
				require.ErrorContains(t, err, "22012")
				require.ErrorIs(t, s.Ping(ctx), ErrInUse)
				return nil
			}))
			var n int
			require.NoError(t, s.QueryRow(ctx, "select count(*) from mine").Scan(&n), "the session goes on")
		}
		s.Release()
		_, err = first.Exec(ctx, "select 1")
		require.ErrorContains(t, err, "lent only until", "the conn fails")
		next, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer next.Release()
		require.Equal(t, first.PgConn().PID(), next.PID())
		var left int
		require.NoError(t, next.QueryRow(ctx, "select count(*) from pg_prepared_statements where name like 'stmtcache%'").Scan(&left))
		require.Zero(t, left)
		require.ErrorContains(t, next.QueryRow(ctx, "select count(*) from mine").Scan(&left), "42P01")
	})
}

// Large objects, notifications and large results and COPYs, in both directions.
func TestWhatWantsAConn(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		require.NoError(t, db.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				objects := tx.LargeObjects()
				oid, err := objects.Create(ctx, 0)
				require.NoError(t, err)
				o, err := objects.Open(ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
				require.NoError(t, err)
				_, err = o.Write(large)
				require.NoError(t, err)
				_, err = o.Seek(0, io.SeekStart)
				require.NoError(t, err)
				got, err := io.ReadAll(o)
				require.NoError(t, err)
				require.True(t, bytes.Equal(large, got))
				return nil
			})
		}))
		require.NoError(t, db.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "listen news")
			require.NoError(t, err)
			require.NoError(t, db.Notify(ctx, "news", "hello"))
			n, err := conn.WaitForNotification(ctx)
			require.NoError(t, err)
			require.Equal(t, "hello", n.Payload)
			short, cancel := soon(ctx)
			defer cancel()
			_, err = conn.WaitForNotification(short)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, conn.IsClosed(), "waiting for news may end")
			_, err = conn.Exec(ctx, "create table big (v text)")
			require.NoError(t, err)
			_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader(strings.Repeat(strings.Repeat("x", 1000)+"\n", 3000)), "copy big from stdin")
			require.NoError(t, err)
			rows, err := conn.Query(ctx, "select v from big")
			require.NoError(t, err)
			count := 0
			for rows.Next() {
				count++
			}
			require.NoError(t, rows.Err())
			require.Equal(t, 3000, count)
			return nil
		}))
		require.NoError(t, db.Ping(ctx))
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		var channels int
		require.NoError(t, s.QueryRow(ctx, "select count(*) from pg_listening_channels()").Scan(&channels))
		require.Zero(t, channels)
		require.Zero(t, db.Stats().Lost)
	})
}

// No other caller ever gets what a function leaves behind.
func TestLentConnIsChecked(t *testing.T) {
	boom := errors.New("boom")
	for name, one := range map[string]struct {
		fn     func(ctx context.Context, conn *pgx.Conn) error
		text   string
		is     error
		closed bool
	}{
		"an open transaction": {func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "begin; create table lost (id int)")
			return err
		}, "left a transaction open, which was rolled back", nil, false},
		"a failed transaction": {func(ctx context.Context, conn *pgx.Conn) error {
			_, _ = conn.Exec(ctx, "begin")
			_, err := conn.Exec(ctx, "select 1/0")
			return errors.Join(boom, err)
		}, "left a transaction open", boom, false},
		"unread rows": {func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Query(ctx, "select generate_series(1, 100000)")
			return err
		}, "the session's connection has been closed", nil, true},
		"a closed conn": {func(ctx context.Context, conn *pgx.Conn) error { return conn.Close(ctx) }, "has been closed", nil, true},
		"a statement that was cancelled": {func(ctx context.Context, conn *pgx.Conn) error {
			short, cancel := soon(ctx)
			defer cancel()
			_, err := conn.Exec(short, "select pg_sleep(100)")
			return err
		}, "has been closed", context.DeadlineExceeded, true},
		"a COPY under way": {func(ctx context.Context, conn *pgx.Conn) error {
			conn.PgConn().Frontend().Send(&pgproto3.Query{String: "copy (select generate_series(1, 100000)) to stdout"})
			return conn.PgConn().Frontend().Flush()
		}, "has been closed", nil, true},
		"a Sync whose answer hasn't come": {func(ctx context.Context, conn *pgx.Conn) error {
			conn.PgConn().Frontend().Send(&pgproto3.Query{String: "select 1"})
			conn.PgConn().Frontend().Send(&pgproto3.Query{String: "select pg_sleep(0.05)"})
			return conn.PgConn().Frontend().Flush()
		}, "has been closed", nil, true},
		"an error": {func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "set search_path to pg_catalog")
			return errors.Join(boom, err)
		}, "boom", boom, false},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, _ := open(t, "&pool_sessions=1")
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				pid := s.PID()
				err = s.Pgx(ctx, one.fn)
				require.ErrorContains(t, err, one.text)
				if one.is != nil {
					require.ErrorIs(t, err, one.is)
				}
				if one.closed {
					require.ErrorIs(t, s.Ping(ctx), ErrClosed)
				} else {
					require.NoError(t, s.Ping(ctx))
				}
				s.Release()
				next, err := db.Acquire(ctx)
				require.NoError(t, err)
				require.Equal(t, one.closed, pid != next.PID())
				var path string
				for range 3 {
					require.NoError(t, next.QueryRow(ctx, "show search_path").Scan(&path))
					require.Equal(t, `"$user", public`, path)
				}
				next.Release()
			})
		})
	}
}

// Release and Close while a conn is lent, a panic and a kill close the connection.
func TestLentConnWhoseSessionEnds(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		for name, end := range map[string]func(s *Session){
			"Release": func(s *Session) { s.Release() },
			"Close":   func(s *Session) { require.NoError(t, s.Close(ctx)) },
			"a panic": func(*Session) { panic("boom") },
		} {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			pid := s.PID()
			func() {
				defer func() { require.Equal(t, name == "a panic", recover() != nil) }()
				_ = s.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
					end(s)
					_, err := conn.Exec(ctx, "select 1")
					require.Error(t, err)
					return nil
				})
			}()
			s.Release()
			next, err := db.Acquire(ctx)
			require.NoError(t, err, name)
			require.NotEqual(t, pid, next.PID(), name)
			require.NoError(t, next.Ping(ctx))
			next.Release()
		}
	})
}

func TestLentConnIsRefused(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		none := func(context.Context, *pgx.Conn) error { t.Error("it is called"); return nil }
		tx, err := s.Begin(ctx)
		require.NoError(t, err)
		require.ErrorIs(t, s.Pgx(ctx, none), ErrInUse)
		require.NoError(t, tx.Rollback(ctx))
		_, err = s.Exec(ctx, "begin")
		require.NoError(t, err)
		require.ErrorIs(t, s.Pgx(ctx, none), ErrInUse)
		_, err = s.Exec(ctx, "rollback")
		require.NoError(t, err)
		rows, err := s.Stream(ctx, "select generate_series(1, 1000)")
		require.NoError(t, err)
		require.ErrorIs(t, s.Pgx(ctx, none), ErrInUse)
		rows.Close()
		ended, end := context.WithCancel(ctx)
		end()
		require.ErrorIs(t, s.Pgx(ended, none), context.Canceled)
		require.NoError(t, s.Ping(ctx))
		s.Release()
		require.ErrorIs(t, s.Pgx(ctx, none), ErrClosed)
	})
}

// A function that registers types for pgx makes them known to the whole DB.
func TestRegisterTypesOfAConn(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		target.MustQuery(t, "create type mood as enum ('sad', 'happy')")
		require.NoError(t, db.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "create extension if not exists hstore")
			return err
		}))
		require.NoError(t, db.RegisterTypes(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			var oid uint32
			if err := conn.QueryRow(ctx, "select 'hstore'::regtype::oid").Scan(&oid); err != nil {
				return err
			}
			conn.TypeMap().RegisterType(&pgtype.Type{Name: "hstore", OID: oid, Codec: pgtype.HstoreCodec{}})
			mood, err := conn.LoadType(ctx, "mood")
			if err == nil {
				conn.TypeMap().RegisterType(mood)
			}
			return err
		}))
		a := "1"
		for _, e := range c.together(ctx, 4, func(ctx context.Context, _ int) error {
			var back pgtype.Hstore
			if err := db.QueryRow(ctx, "select $1::hstore", pgtype.Hstore{"a": &a}).Scan(&back); err != nil {
				return err
			}
			require.Equal(t, pgtype.Hstore{"a": &a}, back)
			var moods []string
			return db.QueryRow(ctx, "select $1::mood[]", []string{"sad"}).Scan(&moods)
		}) {
			require.NoError(t, e)
		}
		boom := errors.New("boom")
		require.ErrorIs(t, db.RegisterTypes(ctx, func(context.Context, *pgx.Conn) error { return boom }), boom)
	})
}

// With TLS a statement of a lent conn is cancelled on the server, too.
func TestLentConnWithTLS(t *testing.T) {
	srv := testserver.Postgres(t, testserver.TLS())
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := openAt(t, srv.Target.URL())
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, db.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(short, "select pg_sleep(100) /* lent */")
			return err
		}), context.DeadlineExceeded)
		until(t, ctx, "it is cancelled", func() bool {
			var n int
			require.NoError(t, db.QueryRow(ctx, "select count(*) from pg_stat_activity where query like 'select pg_sleep%lent%' and state = 'active'").Scan(&n))
			return n == 0
		})
	})
}
