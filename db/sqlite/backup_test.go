package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/sqlite"
)

// full makes a table of several thousand pages.
func full(t *testing.T, ctx context.Context, e *db.Engine) {
	t.Helper()
	dbtest.Exec(t, ctx, e, "create table t(id integer primary key, v blob)",
		"insert into t(v) with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select zeroblob(5000) from n")
}

func rowsIn(t *testing.T, ctx context.Context, file string) int {
	t.Helper()
	e, err := db.Open(ctx, "sqlite:///"+file+"?mode=ro")
	require.NoError(t, err)
	n, err := db.Scalar[int](ctx, e, "select count(*) from t")
	require.NoError(t, err)
	require.NoError(t, e.Close(ctx))
	return n
}

func TestBackup(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		full(t, ctx, e)
		file := filepath.Join(t.TempDir(), "a copy?.db")
		for range 2 { // the second copy replaces the first
			var told [][2]int
			require.NoError(t, sqlite.Backup(ctx, e, file, func(copied, pages int) { told = append(told, [2]int{copied, pages}) }))
			require.Greater(t, len(told), 2)
			last := told[len(told)-1]
			require.Equal(t, last[0], last[1])
			require.NoFileExists(t, file+".part")
		}
		copied, err := db.Open(ctx, (&db.URL{Dialect: "sqlite", Database: file}).Reveal())
		require.NoError(t, err)
		n, err := db.Scalar[int](ctx, copied, "select count(*) from t")
		require.NoError(t, err)
		require.Equal(t, 1000, n)
		require.NoError(t, copied.Close(ctx))
		require.NoError(t, sqlite.Backup(ctx, e, file, nil))
	})
}

func TestABackupEndsWithItsContext(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		full(t, ctx, e)
		file := filepath.Join(t.TempDir(), "copy.db")
		inner, cancel := context.WithCancelCause(ctx)
		enough := errors.New("enough")
		times := 0
		err := sqlite.Backup(inner, e, file, func(copied, pages int) {
			times++
			cancel(enough)
		})
		require.ErrorIs(t, err, enough)
		require.Equal(t, 1, times)
		require.NoFileExists(t, file)
		require.NoFileExists(t, file+".part")
		dbtest.Exec(t, ctx, e, "insert into t(v) values (x'00')")
	})
}

// Other callers write while a file is copied, and the copy has none of their rows.
func TestABackupIsTheDatabaseAtOneMoment(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, dbtest.File(t))
		full(t, ctx, e)
		file := filepath.Join(t.TempDir(), "copy.db")
		writes := 0
		require.NoError(t, sqlite.Backup(ctx, e, file, func(copied, pages int) {
			_, err := e.Exec(context.Background(), "insert into t(v) values (zeroblob(10000))")
			require.NoError(t, err)
			writes++
		}))
		require.Greater(t, writes, 2)
		require.Equal(t, 1000, rowsIn(t, ctx, file))
	})
}

func TestBackupsThatFail(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://")
		full(t, ctx, e)
		err := sqlite.Backup(ctx, e, filepath.Join(t.TempDir(), "nowhere", "copy.db"), nil)
		require.ErrorContains(t, err, "backup to")
		require.Panics(t, func() {
			_ = sqlite.Backup(ctx, e, filepath.Join(t.TempDir(), "copy.db"), func(int, int) { panic("progress") })
		})
		dbtest.Exec(t, ctx, e, "insert into t(v) values (x'00')")
	})
}

func TestAFullDatabaseIsADiskFull(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t(v blob)")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		_, err = db.Scalar[int](ctx, conn, "pragma max_page_count = 10")
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "insert into t values (zeroblob(1000000))")
		require.ErrorIs(t, err, db.ErrDiskFull)
		var own *db.Error
		require.ErrorAs(t, err, &own)
		require.Equal(t, "SQLITE_FULL (13)", own.Code)
		err = conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into t values (zeroblob(1000000))")
			return err
		})
		require.ErrorIs(t, err, db.ErrDiskFull)
		n, err := db.Scalar[int](ctx, conn, "select count(*) from t")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestImmutable(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		dir := t.TempDir()
		file := filepath.Join(dir, "a.db")
		e, err := db.Open(ctx, "sqlite:///"+file)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, e, "create table t(v int)", "insert into t values (1)")
		require.NoError(t, e.Close(ctx))

		// SQLite neither locks an immutable file nor makes other files beside it.
		e = dbtest.Open(t, ctx, "sqlite:///"+file+"?immutable=1")
		n, err := db.Scalar[int](ctx, e, "select count(*) from t")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		beside, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, beside, 1)
		_, err = e.Exec(ctx, "insert into t values (2)")
		require.ErrorIs(t, err, db.ErrReadOnly)

		dbtest.Open(t, ctx, "sqlite:///"+file+"?immutable=0&mode=rw")
		for option, want := range map[string]string{
			"immutable=maybe":              "neither on nor off",
			"immutable=1&mode=rw":          "can't be written",
			"immutable=1&journal_mode=wal": "journal_mode",
		} {
			_, err := db.Open(ctx, "sqlite:///"+file+"?"+option)
			require.ErrorContains(t, err, want)
		}
		_, err = db.Open(ctx, "sqlite://?immutable=1")
		require.ErrorContains(t, err, "no file")
	})
}
