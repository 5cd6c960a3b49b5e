package postgres_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestValuesOfPostgreSQLAlone(t *testing.T) {
	url := dbtest.PostgresURL(testserver.Postgres(t).Database(t)) + "&pool_lanes=2"
	dbtest.PostgresValues(t, true, func(t testing.TB, ctx context.Context) *db.Engine { return dbtest.Open(t, ctx, url) })
}

// Without descriptions all values travel as text.
func TestValuesOfPostgreSQLAsText(t *testing.T) {
	url := dbtest.PostgresURL(testserver.Postgres(t).Database(t)) + "&pool_lanes=2&default_query_exec_mode=exec"
	dbtest.PostgresValues(t, false, func(t testing.TB, ctx context.Context) *db.Engine { return dbtest.Open(t, ctx, url) })
}

// Types that the driver has loaded travel in binary.
func TestTypesThatWereLoadedAreTextAsTheServerWritesIt(t *testing.T) {
	url := dbtest.PostgresURL(testserver.Postgres(t).Database(t)) + "&pool_lanes=2"
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, url)
		names := []string{"mood", "pair", "floats", "few"}
		for i, kind := range []string{"enum ('sad', 'ok')", "(a integer, b text)", "range (subtype = float8)"} {
			dbtest.Exec(t, ctx, e, "drop type if exists "+names[i]+" cascade", "create type "+names[i]+" as "+kind)
		}
		dbtest.Exec(t, ctx, e, "drop domain if exists few", "create domain few as integer[]")
		require.NoError(t, e.Driver().(*pg.DB).LoadTypes(ctx, names...))
		for _, expression := range []string{
			"'ok'::mood", "array['ok', 'sad']::mood[]", "row(1, 'a b')::pair", "floats(1.5, 2)", "'{[1,2),[3,4)}'::floats_multirange", "row(row(2, 'x')::pair, floats(1, 2))",
			"array[row(1, 'a')::pair, row(2, null)::pair]", "'{1,2}'::few",
		} {
			if strings.Contains(expression, "multirange") && testserver.Postgres(t).Major() < 14 {
				continue
			}
			want, err := db.Scalar[string](ctx, e, "select ("+expression+")::text")
			require.NoError(t, err)
			got, err := db.Scalar[any](ctx, e, "select "+expression)
			require.NoError(t, err, expression)
			if list, ok := got.([]any); ok {
				require.Len(t, list, 2)
				require.NotContains(t, got, []byte(nil))
				got, err = db.Scalar[string](ctx, e, "select cast(:v as text)", db.Named("v", want))
				require.NoError(t, err)
			}
			require.Equal(t, want, got, expression)
		}
		texts, err := db.Scalar[[]string](ctx, e, "select array[row(1, 'a')::pair, row(2, null)::pair]")
		require.NoError(t, err)
		require.Equal(t, []string{"(1,a)", "(2,)"}, texts)
		moods, err := db.Scalar[[]string](ctx, e, "select array['ok', 'sad']::mood[]")
		require.NoError(t, err)
		require.Equal(t, []string{"ok", "sad"}, moods)
	})
}
