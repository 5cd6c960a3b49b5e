package pg

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// With pipeline=off the driver sends nothing to a server that hasn't answered the last message,
// whatever callers do.
func TestWithoutPipeliningNothingIsSentBeforeTheLastAnswer(t *testing.T) {
	for option, most := range map[string]int{"&pipeline=off": 1, "": 2} {
		t.Run("pipeline"+option, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				target := testserver.Postgres(t).Database(t)
				target.MustQuery(t, "create table t (id int)")
				tap, tapped := newTap(t, target)
				db := openAt(t, tapped.URL()+"&pool_sessions=2"+option)
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				copied, err := s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromSlice(100_000, func(i int) ([]any, error) { return []any{i}, nil }))
				require.NoError(t, err)
				require.EqualValues(t, 100_000, copied)
				if option == "" {
					// The same write asks for the types. The network may cut it in two.
					until(t, ctx, "two that wait for their answers", func() bool {
						_, err := s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}}))
						require.NoError(t, err)
						return tap.mostWaiting() == most
					})
					s.Release()
					return
				}
				_, err = s.CopyFromReader(ctx, strings.NewReader("1\n2\n"), "copy t from stdin")
				require.NoError(t, err)
				_, err = s.CopyTo(ctx, io.Discard, "copy (select * from t limit 10) to stdout")
				require.NoError(t, err)
				for _, err := range c.together(ctx, 20, func(ctx context.Context, i int) error {
					_, err := s.Exec(ctx, "insert into t values ($1)", i)
					return err
				}) {
					require.NoError(t, err)
				}
				tx, err := s.Begin(ctx)
				require.NoError(t, err)
				for _, err := range c.together(ctx, 20, func(ctx context.Context, i int) error {
					_, err := tx.Exec(ctx, "insert into t values ($1)", i)
					return err
				}) {
					require.NoError(t, err)
				}
				gone, cancel := context.WithCancel(ctx)
				cancel()
				require.NoError(t, tx.Rollback(gone))
				s.Release()
				for _, err := range c.together(ctx, 20, func(ctx context.Context, i int) error {
					b := &pgx.Batch{}
					b.Queue("select $1::int", i)
					b.Queue("insert into t values ($1)", i)
					return db.SendBatch(ctx, b).Close()
				}) {
					require.NoError(t, err)
				}
				rows, err := db.Stream(ctx, "select * from t limit 10")
				require.NoError(t, err)
				require.True(t, rows.Next())
				rows.Close()
				var buf bytes.Buffer
				_, err = db.CopyTo(ctx, &buf, "copy (select count(*) from t) to stdout")
				require.NoError(t, err)
				require.Equal(t, "100042\n", buf.String())
				require.Equal(t, most, tap.mostWaiting())
			})
		})
	}
}
