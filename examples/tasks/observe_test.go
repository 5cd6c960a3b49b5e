package tasks_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/trace"
)

func logged(ctx context.Context, url string, logger *slog.Logger) error {
	config, err := pg.ParseConfig(url)
	if err != nil {
		return err
	}
	config.Tracer = &pg.LogTracer{Logger: logger, Slow: 100 * time.Millisecond}
	conn, err := pg.OpenConfig(config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "select $1::text", "secret")
	return err
}

func events(ctx context.Context, url string, logger *slog.Logger, statements *atomic.Int64) error {
	engine, err := db.Open(ctx, url,
		db.Log(logger),
		db.OnEvents(db.Events{
			AfterExecute: func(ctx context.Context, x *db.Execution) { statements.Add(1) },
		}))
	if err != nil {
		return err
	}
	conn, err := engine.Connect(ctx, db.LogToken("import"), db.HideParameters())
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "select cast(:hidden as text)", db.Args{"hidden": "secret"})
	_ = conn.Close()
	_ = engine.Close(ctx)
	return err
}

func TestLogs(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		url := database(t)
		var statements atomic.Int64
		require.NoError(t, logged(ctx, url, logger))
		require.Contains(t, log.String(), "select $1::text")
		require.NoError(t, events(ctx, url, logger, &statements))
		require.EqualValues(t, 1, statements.Load())
		require.Contains(t, log.String(), "import")
		require.NotContains(t, log.String(), "secret")
		require.NotContains(t, log.String(), "hidden=")
	})
}

func figures(ctx context.Context, conn *pg.DB, logger *slog.Logger) error {
	before := conn.Stats()
	if err := repaint.Sleep(ctx, time.Minute); err != nil {
		return err
	}
	now := conn.Stats()
	waited := now.WaitTime - before.WaitTime
	if n := now.Waits - before.Waits; n > 0 {
		logger.Info("waits for a lane", "number", n, "mean", waited/time.Duration(n))
	}
	return nil
}

func TestFigures(t *testing.T) {
	conn, err := pg.Open(database(t))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		return figures(ctx, conn, slog.New(slog.DiscardHandler))
	}, loop.VirtualClock(time.Unix(0, 0))))
}

func timeline(ctx context.Context, file string, serve func(ctx context.Context) error) error {
	t := trace.Start()
	err := repaint.Run(ctx, serve)
	t.Stop()
	if err != nil {
		return err
	}
	page, err := os.Create(file)
	if err != nil {
		return err
	}
	defer page.Close()
	return t.WriteHTML(page)
}

func TestTimeline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "timeline.html")
	require.NoError(t, timeline(t.Context(), file, func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return 0, repaint.Sleep(ctx, time.Millisecond)
		}, repaint.Named("the first")))
		return err
	}))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "the first")
}
