package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// journal notes events. Any goroutine may send them.
type journal struct {
	mu    sync.Mutex
	notes []string
}

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = append(j.notes, fmt.Sprintf(format, args...))
}

func (j *journal) took() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := strings.Join(j.notes, "; ")
	j.notes = nil
	return text
}

func (j *journal) events() db.Option {
	tx := func(what string) func(context.Context, db.TxEvent) {
		return func(_ context.Context, x db.TxEvent) { j.note("%s %s%s %v", what, x.Token, x.Savepoint, x.Err == nil) }
	}
	return db.OnEvents(db.Events{
		Connect: func(ctx context.Context, conn *db.Conn) error {
			n, err := db.Scalar[int](ctx, conn, "select 1")
			j.note("connect %d", n)
			return err
		},
		Checkout: func(_ context.Context, c db.ConnInfo) { j.note("checkout") },
		Checkin:  func(_ context.Context, c db.ConnInfo) { j.note("checkin") },
		BeforeExecute: func(_ context.Context, x *db.Execution) error {
			if strings.Contains(x.Statement, "forbidden") {
				return errors.New("not here")
			}
			x.Data = x.Statement
			return nil
		},
		AfterExecute: func(_ context.Context, x *db.Execution) {
			j.note("%s%s %s %v rows=%d affected=%d %v tx=%v", x.Token, x.Op, x.Statement, x.Params, x.Rows, x.Affected, x.Err == nil, x.InTx)
		},
		Begin: tx("begin"), Savepoint: tx("savepoint"), Commit: tx("commit"), Rollback: tx("rollback"),
		Error: func(_ context.Context, err *db.Error) error { j.note("error %s", err.Op); return nil },
	})
}

func TestEventsTellWhatHappens(t *testing.T) {
	for _, dialect := range []string{"sqlite", "mariadb"} {
		t.Run(dialect, func(t *testing.T) {
			j := &journal{}
			run := func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
				if e.Stats().MaxOpen > 1 && e.Dialect().Name() == "sqlite" {
					return // in memory the writer and the readers have a pool each
				}
				j.took()
				dbtest.Items(t, ctx, e, e)
				j.took()
				_, err := e.Exec(ctx, insertItem, value("a"))
				require.NoError(t, err)
				require.Equal(t, "checkout; checkin; exec "+insertItem+" [{{} value a}] rows=0 affected=1 true tx=false", j.took())
				conn, err := e.Connect(ctx, db.LogToken("T "), db.HideParameters())
				require.NoError(t, err)
				require.NoError(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						_, err := tx.Query(ctx, "select value from items where id > :i", db.Named("i", 0))
						return err
					})
				}))
				_, err = conn.Exec(ctx, "forbidden")
				require.ErrorContains(t, err, "not here")
				require.NoError(t, conn.Close())
				require.Equal(t, "checkout; begin T  true; savepoint T repaint_1 true; "+
					"T query select value from items where id > :i [] rows=1 affected=0 true tx=true; commit T repaint_1 true; commit T  true; "+
					"error exec; T exec forbidden [] rows=0 affected=0 false tx=false; checkin", j.took())
				rows, err := e.Stream(ctx, "select 1")
				require.NoError(t, err)
				require.NoError(t, rows.Close())
				require.Equal(t, "checkout; stream select 1 [] rows=0 affected=0 true tx=false; checkin", j.took())
			}
			dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
				if (e.Dialect().Name() == "sqlite") == (dialect == "sqlite") {
					run(t, ctx, e, c)
				}
			}, j.events(), db.PoolSize(1), db.MaxOverflow(0))
		})
	}
}

func TestConnectSetsUpEveryConnectionOrRefusesIt(t *testing.T) {
	refuse := false
	setUp := db.OnEvents(db.Events{Connect: func(ctx context.Context, conn *db.Conn) error {
		if refuse {
			return errors.New("refused")
		}
		_, err := conn.Exec(ctx, "create temporary table mine(v int)")
		return err
	}})
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for range 3 {
			dbtest.Exec(t, ctx, e, "select count(*) from mine")
		}
		connects := e.Stats().Connects
		e.Invalidate()
		dbtest.Exec(t, ctx, e, "select count(*) from mine")
		require.Equal(t, connects+1, e.Stats().Connects)
		e.Invalidate()
		refuse = true
		defer func() { refuse = false }()
		_, err := e.Exec(ctx, "select 1")
		require.ErrorContains(t, err, "refused")
		require.ErrorContains(t, err, "connect to")
	}, setUp)
}

func TestErrorsCanBeRewritten(t *testing.T) {
	taken := errors.New("that name is taken")
	n := 0
	rewrite := db.OnEvents(db.Events{Error: func(_ context.Context, err *db.Error) error {
		n++
		if errors.Is(err, db.ErrUnique) {
			return fmt.Errorf("%w: %w", taken, err)
		}
		err.Hint = "look it up"
		return nil
	}})
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table u(v integer primary key)", "insert into u values (1)")
		n = 0
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into u values (1)")
			return err
		})
		require.ErrorIs(t, err, taken)
		require.ErrorIs(t, err, db.ErrUnique)
		require.Equal(t, 1, n, "each error once")
		_, err = e.Query(ctx, "select * from nope")
		require.ErrorContains(t, err, "look it up")
		_, err = e.Query(ctx, "select :x")
		require.ErrorContains(t, err, "look it up")
		require.Equal(t, 3, n)
	}, rewrite)
}

func TestLogHasStatementsAndStepsAndOfParametersWhatErrorsHave(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "took" || a.Key == "err" {
			return slog.Attr{}
		}
		return a
	}}))
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		out.Reset()
		e := dbtest.Open(t, ctx, "sqlite://", db.Log(logger), db.LogToken("import"))
		_ = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Query(ctx, "select :x", db.Named("x", "some"))
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "nonsense")
			return err
		})
		for _, opt := range []db.ConnOption{db.HideParameters(), db.ShowParameters()} {
			conn, err := e.Connect(ctx, opt)
			require.NoError(t, err)
			_, err = conn.Query(ctx, "select :x", db.Named("x", "known"))
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		}
		require.Equal(t, `level=DEBUG msg="db begin" token=import
level=DEBUG msg="db query" token=import sql="select :x" rows=1 params.x=string
level=WARN msg="db exec" token=import sql=nonsense affected=0
level=DEBUG msg="db rollback" token=import
level=DEBUG msg="db query" token=import sql="select :x" rows=1
level=DEBUG msg="db query" token=import sql="select :x" rows=1 params.x="\"known\""
`, out.String())
	})
}
