package db_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/repainttest"
)

// urlVariable and hideVariable tell TestScheduleOfValues its database, and whether to hide values.
const (
	urlVariable  = "SCHEDULE_OF_VALUES_URL"
	hideVariable = "SCHEDULE_OF_VALUES_HIDE"
)

// TestValuesInSchedules runs TestScheduleOfValues in another process.
func TestScheduleOfValues(t *testing.T) {
	url := os.Getenv(urlVariable)
	if url == "" {
		t.Skip("is run by another test")
	}
	var opts []db.Option
	if os.Getenv(hideVariable) != "" {
		opts = append(opts, db.HideParameters())
	}
	e, err := db.Open(t.Context(), url, opts...)
	require.NoError(t, err)
	defer e.Close(context.Background())
	repainttest.Explore(t, 1, func(t *testing.T, ctx context.Context) {
		_, err := e.Exec(ctx, "delete from account")
		require.NoError(t, err)
		name := "xyzzy"
		insert := func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, "insert into account values (:name, :balance)", db.Named("name", &name), db.Named("balance", 1987654321))
			return err
		}
		require.NoError(t, insert(ctx, e))
		require.Error(t, insert(ctx, e), "the name is there already")
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Scalar[string](ctx, tx, "select name from account where balance = :balance", db.Named("balance", 1987654321))
			return err
		}))
		rows, err := e.Stream(ctx, "select balance from account where name = :name", db.Named("name", name))
		require.NoError(t, err)
		require.NoError(t, rows.Close())
	})
}

func TestValuesInSchedules(t *testing.T) {
	for name, url := range explorable {
		if name == "SQLite in memory" {
			continue // the child process would have another database
		}
		t.Run(name, func(t *testing.T) {
			at := url(t)
			openAccounts(t, at)
			show := func(hide string) (printed, page string) {
				file := filepath.Join(t.TempDir(), "page.html")
				cmd := exec.Command(os.Args[0], "-test.run=^TestScheduleOfValues$", "-test.v")
				cmd.Env = append(os.Environ(), urlVariable+"="+at, hideVariable+"="+hide, "REPAINT_SCHEDULE=#", "REPAINT_PAGE="+file)
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, string(out))
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				return string(out), string(text)
			}
			printed, page := show("")
			for _, text := range []string{printed, page} {
				require.Contains(t, text, "[xyzzy, 1987654321]")
			}
			printed, page = show("1")
			for _, text := range []string{printed, page} {
				require.NotContains(t, text, "xyzzy")
				require.NotContains(t, text, "1987654321")
				require.Contains(t, text, "[hidden]")
				require.Contains(t, text, "error: hidden")
				require.Contains(t, text, "insert into account", "only the values are hidden")
			}
		})
	}
}
