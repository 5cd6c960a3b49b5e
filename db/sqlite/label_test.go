package sqlite_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func init() { sqlite.MustRegisterScalarFunction("profile_labels", 0, profileLabels) }

// profileLabels is an SQL function. It returns the labels of the goroutine that calls it.
func profileLabels(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(part, "sqlite_test.profileLabels") {
			_, rest, _ := strings.Cut(part, "# labels: ")
			labels, _, _ := strings.Cut(rest, "\n")
			return labels, nil
		}
	}
	return "", nil
}

// A statement may run on a goroutine that ran others before, or that another caller's job started.
// Profiles still charge the statement to its own caller, by the labels of the context.
func TestStatementsCarryTheLabelsOfTheirCaller(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.File(t), db.PoolSize(1), db.MaxOverflow(0))
		require.NoError(t, c.Together(ctx, 10, func(ctx context.Context, i int) (err error) {
			pprof.Do(ctx, pprof.Labels("request", fmt.Sprint("number ", i)), func(ctx context.Context) {
				for range 5 {
					var got string
					if got, err = db.Scalar[string](ctx, e, "select profile_labels()"); err != nil {
						return
					}
					if got != fmt.Sprintf(`{"request":"number %d"}`, i) {
						err = fmt.Errorf("number %d has the labels %s", i, got)
						return
					}
				}
			})
			return err
		}))
	})
}
