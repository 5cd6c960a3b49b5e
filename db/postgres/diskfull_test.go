package postgres_test

import (
	"context"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// The test puts a tablespace on a disk of a few megabytes. Mounting one takes rights that not every
// machine gives its tests; without them the server raises the error itself.
func TestAFullDiskOfPostgreSQL(t *testing.T) {
	server := testserver.Postgres(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL())
		_, err := e.Exec(ctx, "do $$ begin raise exception using errcode = 'disk_full', message = 'no room'; end $$")
		require.ErrorIs(t, err, db.ErrDiskFull)

		dir, err := os.MkdirTemp("", "repaint-disk")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "none", dir).CombinedOutput(); err != nil {
			t.Skipf("a small disk can't be mounted: %s", out)
		}
		defer func() { require.NoError(t, exec.Command("umount", "-l", dir).Run()) }()
		data, err := db.Scalar[string](ctx, e, "show data_directory")
		require.NoError(t, err)
		if out, err := exec.Command("chown", "--reference", data, dir).CombinedOutput(); err != nil {
			t.Skipf("the disk can't be given to the server: %s", out)
		}
		name := "small_" + c.Name
		dbtest.Exec(t, ctx, e, "create tablespace "+name+" location '"+dir+"'")
		defer dbtest.Exec(t, ctx, e, "drop table if exists t", "drop tablespace "+name)
		dbtest.Exec(t, ctx, e, "create table t (v text) tablespace "+name)
		_, err = e.Exec(ctx, "insert into t select repeat('x', 1000) from generate_series(1, 20000)")
		require.ErrorIs(t, err, db.ErrDiskFull)
		require.NotErrorIs(t, err, db.ErrUnknownOutcome)
		n, err := db.Scalar[int](ctx, e, "select count(*) from t")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}
