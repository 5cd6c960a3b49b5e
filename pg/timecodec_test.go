package pg

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestTimesBeyondTheServersAreRefusedAndOthersArrive(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "")
		for _, year := range []int{-300_000, -5000, 294277, 294278, 586578, 6_000_000, 11_761_191} {
			at := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
			span := pgtype.Range[time.Time]{Lower: at, UpperType: pgtype.Unbounded, LowerType: pgtype.Inclusive, Valid: true}
			arguments := map[string]any{
				"timestamptz": at, "timestamp": pgtype.Timestamp{Time: at, Valid: true}, "timestamptz[]": []time.Time{at}, "timestamp[]": []*time.Time{&at},
				"tstzrange": span, "tsrange": &span, "tstzmultirange": pgtype.Multirange[pgtype.Range[time.Time]]{span}, "tstzrange[]": []pgtype.Range[time.Time]{span},
			}
			if testserver.Postgres(t).Major() < 14 { // which has no multiranges
				delete(arguments, "tstzmultirange")
			}
			if year < 0 || year > 5_874_897 {
				arguments["date"], arguments["date[]"], arguments["daterange"] = at, []time.Time{at}, span
			}
			for typ, argument := range arguments {
				_, err := db.Exec(ctx, "select $1::"+typ, argument)
				require.Error(t, err, "%s of the year %d", typ, year)
				var refused *pgconn.PgError
				require.ErrorAs(t, err, &refused) // the value goes as text, and the server says what is wrong
				require.Contains(t, []string{"22008", "22009"}, refused.Code, "%s of the year %d: %v", typ, year, err)
			}
		}
		for _, at := range []time.Time{
			time.Date(-4713, 11, 24, 0, 0, 0, 0, time.UTC), time.Date(-43, 3, 15, 0, 0, 0, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC),
			time.Date(292278, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(294276, 12, 31, 0, 0, 0, 0, time.UTC),
		} {
			var zoned, local, day time.Time
			var list []time.Time
			require.NoError(t, db.QueryRow(ctx, "select $1::timestamptz, $1::timestamp, $1::date, $2::timestamptz[]", at, []time.Time{at}).Scan(&zoned, &local, &day, &list))
			for _, got := range []time.Time{zoned, local, day, list[0]} {
				require.True(t, at.Equal(got), "%v is not %v", got, at)
			}
		}
		var infinite pgtype.Timestamptz
		require.NoError(t, db.QueryRow(ctx, "select $1::timestamptz", pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}).Scan(&infinite))
		require.Equal(t, pgtype.Infinity, infinite.InfinityModifier)
	})
}
