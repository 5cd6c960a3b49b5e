package pagetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/postgres"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/repainttest"
)

// hostile is what a page must show as it is.
const hostile = `</script><img src=x onerror="document.title='owned'"><b>bold</b>`

// childVariable names the program that TestProgram explores in a process of its own, because it is
// meant to fail.
const childVariable = "PAGETEST_PROGRAM"

// TestProgram is run by schedulePage.
func TestProgram(t *testing.T) {
	name := os.Getenv(childVariable)
	if name == "" {
		t.Skip("is run by other tests")
	}
	programs[name](t)
}

// schedulePage explores a program, whose test fails, and returns the file of the schedule's page.
func schedulePage(t *testing.T, program string, env ...string) string {
	t.Helper()
	require.Contains(t, programs, program)
	chromium(t) // or else it would be for nothing
	file := filepath.Join(t.TempDir(), "page.html")
	cmd := exec.Command(os.Args[0], "-test.run=^TestProgram$", "-test.v")
	cmd.Env = append(append(os.Environ(), childVariable+"="+program, "REPAINT_PAGE="+file), env...)
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "it is meant to fail:\n%s", out)
	require.FileExists(t, file, "%s", out)
	return file
}

var programs = map[string]func(t *testing.T){
	"withdraw": withdraw,
	"ten":      ten,
	"hostile":  explorePlain(hostileProgram),
}

// withdraw has two tasks withdraw from an account, on PostgreSQL. Each reads and then writes, and
// so one withdrawal can be lost.
func withdraw(t *testing.T) {
	ctx := t.Context()
	engine, err := db.Open(ctx, testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	defer engine.Close(ctx)
	_, err = engine.Exec(ctx, "create table account (owner text primary key, balance int not null)")
	require.NoError(t, err)
	withdraw := func(ctx context.Context) error {
		return engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			balance, err := db.Scalar[int](ctx, tx, "select balance from account where owner = 'ada'")
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "update account set balance = :balance where owner = 'ada'", db.Named("balance", balance-10))
			return err
		})
	}
	repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
		_, err := engine.Exec(ctx, "truncate account")
		require.NoError(t, err)
		_, err = engine.Exec(ctx, "insert into account values ('ada', 100)")
		require.NoError(t, err)
		require.NoError(t, tasks(ctx, withdraw, withdraw))
		balance, err := db.Scalar[int](ctx, engine, "select balance from account where owner = 'ada'")
		require.NoError(t, err)
		require.Equal(t, 80, balance)
	})
}

// ten has ten tasks that execute fifty statements each.
func ten(t *testing.T) {
	engine := lite(t)
	repainttest.Explore(t, 1, func(t *testing.T, ctx context.Context) {
		var all []func(ctx context.Context) error
		for n := range 10 {
			all = append(all, func(ctx context.Context) error {
				for i := range 50 {
					if _, err := db.Scalar[int](ctx, engine, "select count(*) from item where shelf = :shelf and price between :low and :high",
						db.Named("shelf", n), db.Named("low", i), db.Named("high", i+50)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, tasks(ctx, all...))
		t.Error("it is meant to fail")
	}, repainttest.ShrinkFor(0))
}

// explorePlain explores a program on SQLite, once.
func explorePlain(main func(ctx context.Context, engine *db.Engine) error) func(t *testing.T) {
	return func(t *testing.T) {
		engine := lite(t)
		repainttest.Explore(t, 1, func(t *testing.T, ctx context.Context) {
			require.NoError(t, main(ctx, engine))
			t.Error("it is meant to fail")
		}, repainttest.ShrinkFor(0))
	}
}

func hostileProgram(ctx context.Context, engine *db.Engine) error {
	task := repaint.Spawn(ctx, func(ctx context.Context) (string, error) {
		return db.Scalar[string](ctx, engine, "select :value /* "+hostile+" */", db.Named("value", "</script><img src=x onerror=1>"))
	}, repaint.Named(hostile))
	_, err := repaint.Await(ctx, task)
	return err
}

func lite(t *testing.T) *db.Engine {
	engine, err := db.Open(t.Context(), "sqlite://")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close(context.Background())) })
	_, err = engine.Exec(t.Context(), "create table item (shelf int, price int)")
	require.NoError(t, err)
	return engine
}

func tasks(ctx context.Context, fns ...func(ctx context.Context) error) error {
	g := repaint.NewGroup(ctx)
	for _, fn := range fns {
		g.Go(fn)
	}
	return g.Wait()
}
