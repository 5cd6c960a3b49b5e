package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestATimeIsTheSameWhereverItGoes(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL())
		dbtest.Exec(t, ctx, e, "drop table if exists times", "create table times(a timestamptz, b timestamp, c date, d text, e varchar(40), f jsonb, g timestamptz[])")
		when := time.Date(2024, 2, 29, 1, 30, 0, 123456789, time.FixedZone("east", 2*3600))
		_, err := e.Exec(ctx, "insert into times values (:t, :b, :c, :d, :e, :f, :g)", db.Named("t", when), db.Named("b", when), db.Named("c", when),
			db.Named("d", when), db.Named("e", &when), db.Named("f", when), db.Named("g", []time.Time{when}))
		require.NoError(t, err)
		got, err := db.One[struct {
			A, B, C time.Time
			D, E, F string
			G       []time.Time
		}](ctx, e, "select * from times")
		require.NoError(t, err)
		utc := time.Date(2024, 2, 28, 23, 30, 0, 123456000, time.UTC)
		require.Equal(t, utc, got.A)
		require.Equal(t, utc, got.B)
		require.Equal(t, utc.Truncate(24*time.Hour), got.C)
		require.Equal(t, "2024-02-28 23:30:00.123456+00:00", got.D)
		require.Equal(t, got.D, got.E)
		require.Equal(t, `"2024-02-28T23:30:00.123456789Z"`, got.F)
		require.True(t, utc.Equal(got.G[0]))
	})
}

func TestAnErrorTellsTheArgumentsAsTheyWereGiven(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL())
		when := time.Now()
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		for _, q := range []db.Querier{e, conn} {
			_, err = q.Query(ctx, "select cast(:f as boolean), cast(:t as timestamptz)", db.Named("f", 1.5), db.Named("t", when))
			require.ErrorIs(t, err, db.ErrParameter)
			require.ErrorContains(t, err, "a float64: it can't be made a value of type bool")
			var is *db.Error
			require.ErrorAs(t, err, &is)
			require.Equal(t, 1.5, is.Params[0].Value)
			require.Equal(t, when, is.Params[1].Value)
		}
	})
}

func TestAConnectErrorIsOneLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := db.Open(ctx, "postgres://u:secret@127.0.0.1:1,127.0.0.1:2/d")
	require.ErrorIs(t, err, db.ErrDisconnected)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "secret")
	require.Equal(t, 1, strings.Count(err.Error(), "postgres://u:***@127.0.0.1:1,127.0.0.1:2/d"))
	require.ErrorContains(t, err, "127.0.0.1:2: dialing: connect: connection refused")
}

// A commit finds errors about values that were sent earlier.
func TestACommitHidesParametersToo(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL())
		dbtest.Exec(t, ctx, e, "drop table if exists late", "create table late(v text)",
			"create or replace function refuse() returns trigger language plpgsql as $$ begin raise exception 'no %', new.v using errcode = '23514', hint = 'not ' || new.v; end $$",
			"create constraint trigger late after insert on late deferrable initially deferred for each row execute function refuse()")
		for hide, shown := range map[bool]bool{true: false, false: true} {
			var opts []db.ConnOption
			if hide {
				opts = append(opts, db.HideParameters())
			}
			conn, err := e.Connect(ctx, opts...)
			require.NoError(t, err)
			err = conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "insert into late values (:v)", db.Named("v", "xyzzy"))
				return err
			})
			require.ErrorIs(t, err, db.ErrCheck)
			require.Equal(t, shown, strings.Contains(err.Error(), "xyzzy"), err.Error())
			require.ErrorContains(t, err, "23514")
			require.NoError(t, conn.Close())
		}
	})
}
