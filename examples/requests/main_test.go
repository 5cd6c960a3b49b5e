package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestOutput(t *testing.T) {
	for name, url := range map[string]string{
		"memory":     "sqlite://",
		"file":       "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "requests.db")),
		"postgresql": testserver.Postgres(t).Database(t).URL(),
		"mariadb":    testserver.MariaDB(t).Database(t).URL(),
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			var out strings.Builder
			err := repaint.Run(t.Context(), func(ctx context.Context) error {
				return requests(ctx, &out, url, 100, 1000)
			})
			require.NoError(t, err)
			most := `\d{1,4}` // a call doesn't wait if it is known to be short, or its answer has already arrived
			if name == "postgresql" {
				most = "1000"
			}
			require.Regexp(t, `^100 requests one after another: all correct
1000 tasks at once: all correct, up to `+most+` of them waiting
1100 values in the table
$`, out.String())
		})
	}
}

func TestAWrongValueIsFound(t *testing.T) {
	ctx := t.Context()
	engine, err := db.Open(ctx, "sqlite://")
	require.NoError(t, err)
	defer engine.Close(ctx)
	_, err = engine.Exec(ctx, `create table record (id integer primary key, data text);
		create trigger spoil after insert on record begin update record set data = 'spoilt' where id = new.id; end`)
	require.NoError(t, err)
	err = addAndSelect(ctx, engine, "good")
	require.ErrorContains(t, err, `inserted "good", selected "spoilt"`)
	require.ErrorContains(t, err, fmt.Sprintf("record %d", 1))
}
