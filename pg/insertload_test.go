package pg

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// insertLoad makes callers insert numbers, every other caller in transactions, until it is stopped.
// The function that it returns checks the outcome: what was acknowledged is there, nothing is there
// twice, and what an error said to have had no effect isn't there. No error may be about anything
// but a lost connection, or one that couldn't be made.
func insertLoad(t *testing.T, ctx context.Context, c colour, db *DB, callers int) (acknowledged *atomic.Int64, failed *atomic.Int64, stop func(in testserver.Target)) {
	const (
		none = iota // not asked for
		yes
		maybe
		no
	)
	var end atomic.Bool
	acknowledged, failed = new(atomic.Int64), new(atomic.Int64)
	outcomes := make([][]byte, callers)
	var waits []func() error
	for k := range callers {
		waits = append(waits, c.start(ctx, func(ctx context.Context) error {
			for i := 0; !end.Load(); i++ {
				err := insertOne(ctx, db, i*callers+k, k%2 == 1)
				var lost *LostError
				var unreached *pgconn.ConnectError
				outcome := byte(maybe)
				switch {
				case err == nil:
					outcome = yes
					acknowledged.Add(1)
				case ctx.Err() != nil:
					return err
				case errors.As(err, &lost):
					failed.Add(1)
					if !lost.MaybeApplied {
						outcome = no
					}
				case errors.As(err, &unreached):
					failed.Add(1)
					outcome = no
				default:
					return err
				}
				outcomes[k] = append(outcomes[k], outcome)
			}
			return nil
		}))
	}
	return acknowledged, failed, func(in testserver.Target) {
		end.Store(true)
		for _, wait := range waits {
			require.NoError(t, wait())
		}
		there := map[int]int{}
		for _, id := range strings.Fields(in.MustQuery(t, "select id from t")) {
			i, err := strconv.Atoi(id)
			require.NoError(t, err)
			there[i]++
		}
		for k := range outcomes {
			for i, outcome := range outcomes[k] {
				n := there[i*callers+k]
				switch outcome {
				case yes:
					require.Equal(t, 1, n, "acknowledged")
				case maybe:
					require.LessOrEqual(t, n, 1, "perhaps applied")
				case no:
					require.Zero(t, n, "without effect")
				}
			}
		}
		t.Logf("%d acknowledged, %d failed; %+v", acknowledged.Load(), failed.Load(), db.Stats())
	}
}

func insertOne(ctx context.Context, db *DB, id int, inTx bool) error {
	if !inTx {
		_, err := db.Exec(ctx, "insert into t values ($1)", id)
		return err
	}
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into t values ($1)", id)
		return err
	})
}
