package pg

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// registerOwn is written for pgxpool's AfterConnect. It registers an enum with its array, and a
// base type of an extension.
func registerOwn(ctx context.Context, conn *pgx.Conn) error {
	var oid uint32
	if err := conn.QueryRow(ctx, "select $1::text::regtype::oid", "hstore").Scan(&oid); err != nil {
		return err
	}
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "hstore", OID: oid, Codec: pgtype.HstoreCodec{}})
	for _, name := range []string{"mood", "mood[]"} {
		t, err := conn.LoadType(ctx, name)
		if err != nil {
			return err
		}
		conn.TypeMap().RegisterType(t)
	}
	return nil
}

// The hook gets a real pgx.Conn. Its settings are there for all users. The first statement knows
// the types that it registers already, on lanes, in sessions and in COPY.
func TestAfterConnectGetsAPgxConn(t *testing.T) {
	for _, mode := range []string{"", "&statement_cache_capacity=0", "&pipeline=off"} {
		t.Run(mode, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				target.MustQuery(t, "create type mood as enum ('sad', 'happy'); create extension hstore; create table things (m mood, h hstore)")
				config, err := ParseConfig(target.URL() + mode)
				require.NoError(t, err)
				var plain, set atomic.Int32
				config.Conn.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
					plain.Add(1)
					return conn.Exec(ctx, "set work_mem = '6MB'").Close()
				}
				config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
					set.Add(1)
					if _, err := conn.Exec(ctx, "set work_mem = '7MB'"); err != nil {
						return err
					}
					return registerOwn(ctx, conn)
				}
				db, err := OpenConfig(config)
				require.NoError(t, err)
				defer func() { require.NoError(t, db.Close(ctx)) }()
				a := "1"
				want := pgtype.Hstore{"a": &a}
				for _, e := range c.together(ctx, 8, func(ctx context.Context, _ int) error {
					var got pgtype.Hstore
					var moods []string
					var memory string
					err := db.QueryRow(ctx, "select $1::hstore, $2::mood[], current_setting('work_mem')", want, []string{"sad", "happy"}).Scan(&got, &moods, &memory)
					if err == nil {
						require.Equal(t, want, got)
						require.Equal(t, []string{"sad", "happy"}, moods)
						require.Equal(t, "7MB", memory)
					}
					return err
				}) {
					require.NoError(t, e)
				}
				_, err = db.CopyFrom(ctx, pgx.Identifier{"things"}, []string{"m", "h"}, pgx.CopyFromRows([][]any{{"sad", want}}))
				require.NoError(t, err)
				require.NoError(t, db.Pgx(ctx, func(ctx context.Context, conn *pgx.Conn) error {
					var got pgtype.Hstore
					require.NoError(t, conn.QueryRow(ctx, "select h from things").Scan(&got))
					require.Equal(t, want, got)
					return nil
				}))
				require.NotZero(t, set.Load())
				require.GreaterOrEqual(t, plain.Load(), set.Load())
				left, err := only(db.Query(ctx, "select count(*) from pg_prepared_statements where statement like $1", "%::regtype%"))
				require.NoError(t, err)
				require.EqualValues(t, 0, left)
			})
		})
	}
}

// A type that is created anew has another OID, which the next connection's hook registers.
func TestAfterConnectLearnsOfNewTypes(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		target.MustQuery(t, "create type mood as enum ('sad')")
		config, err := ParseConfig(target.URL() + "&pool_lanes=1")
		require.NoError(t, err)
		config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			all, err := conn.LoadTypes(ctx, []string{"mood", "_mood"})
			conn.TypeMap().RegisterTypes(all)
			return err
		}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close(ctx)) }()
		var moods []string
		require.NoError(t, db.QueryRow(ctx, "select $1::mood[]", []string{"sad"}).Scan(&moods))
		target.MustQuery(t, "drop type mood; create type mood as enum ('angry')")
		db.Reset()
		require.NoError(t, db.QueryRow(ctx, "select $1::mood[]", []string{"angry"}).Scan(&moods))
		require.Equal(t, []string{"angry"}, moods)
	})
}

// The end of a session can't repeat what AfterConnect has set. So the connection is closed if that
// has changed.
func TestWhatAfterConnectOfAPgxConnHasSetIsKept(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, _ colour) {
		config, err := ParseConfig(databaseURL(t) + "&pool_sessions=1")
		require.NoError(t, err)
		config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "set work_mem = '7MB'")
			return err
		}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close(ctx)) }()
		for range 3 {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			got, err := only(s.Query(ctx, "select current_setting('work_mem')"))
			require.NoError(t, err)
			require.Equal(t, "7MB", got)
			_, err = s.Exec(ctx, "set work_mem = '8MB'")
			require.NoError(t, err)
			s.Release()
		}
	})
}

func TestAfterConnectThatFails(t *testing.T) {
	boom := errors.New("boom")
	for name, one := range map[string]struct {
		fn    func(ctx context.Context, conn *pgx.Conn) error
		is    error
		stage ConnectStage
		text  string
	}{
		"its error": {fn: func(context.Context, *pgx.Conn) error { return boom }, is: boom, text: "running AfterConnect: boom"},
		"the server's": {fn: func(ctx context.Context, conn *pgx.Conn) error { _, err := conn.Exec(ctx, "select 1/0"); return err },
			text: "running AfterConnect: ERROR: division by zero"},
		"closed": {fn: func(ctx context.Context, conn *pgx.Conn) error { return conn.Close(ctx) }, text: "AfterConnect has closed the connection"},
		"rows": {fn: func(ctx context.Context, conn *pgx.Conn) error { _, err := conn.Query(ctx, "select 1"); return err },
			text: "AfterConnect has left rows, a batch or a COPY open"},
		"a transaction": {fn: func(ctx context.Context, conn *pgx.Conn) error { _, err := conn.Begin(ctx); return err },
			stage: ConnectTakeOver, text: "AfterConnect left a transaction open"},
		"a type of an unknown one": {fn: func(ctx context.Context, conn *pgx.Conn) error {
			var oid uint32
			err := conn.QueryRow(ctx, "select 'pair'::regtype::oid").Scan(&oid)
			conn.TypeMap().RegisterType(&pgtype.Type{Name: "pair", OID: oid, Codec: pgtype.TextCodec{}})
			return err
		}, text: "pair.a: amount is a base type that has no codec"},
		"its time": {fn: func(ctx context.Context, conn *pgx.Conn) error { <-ctx.Done(); return context.Cause(ctx) },
			is: context.DeadlineExceeded, text: "running AfterConnect: context deadline exceeded (connect_timeout is 1s)"},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				target.MustQuery(t, `create type amount;
					create function amount_in(cstring) returns amount language internal immutable strict as 'int4in';
					create function amount_out(amount) returns cstring language internal immutable strict as 'int4out';
					create type amount (input = amount_in, output = amount_out, like = integer);
					create type pair as (a amount)`)
				config, err := ParseConfig(target.URL())
				require.NoError(t, err)
				if name == "its time" {
					config.Conn.ConnectTimeout = time.Second
				}
				var failing atomic.Bool
				failing.Store(true)
				config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
					if !failing.Load() {
						return nil
					}
					return one.fn(ctx, conn)
				}
				db, err := OpenConfig(config)
				require.NoError(t, err)
				defer func() { require.NoError(t, db.Close(ctx)) }()
				for _, use := range []func() error{
					func() error { _, err := db.Exec(ctx, "select 1"); return err },
					func() error { _, err := db.Begin(ctx); return err },
				} {
					err := use()
					var failed *ConnectError
					require.ErrorAs(t, err, &failed)
					require.ErrorContains(t, err, one.text)
					if one.is != nil {
						require.ErrorIs(t, err, one.is)
					}
					stage := one.stage
					if stage == "" {
						stage = ConnectSetUp
					}
					require.Equal(t, stage, failed.Attempts[len(failed.Attempts)-1].Stage)
				}
				failing.Store(false)
				_, err = db.Exec(ctx, "select 1")
				require.NoError(t, err)
			})
		})
	}
}
