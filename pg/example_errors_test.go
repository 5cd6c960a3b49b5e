package pg_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/pg"
)

// A ConnectError has an attempt for each address, with the stage that failed. Nothing was sent, so
// the call may be repeated.
func ExampleConnectError() {
	db, err := pg.Open("postgres://me:secret@127.0.0.1:1/app?sslmode=disable")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer func() { _ = db.Close(ctx) }()
	err = db.Ping(ctx)
	var failed *pg.ConnectError
	if errors.As(err, &failed) {
		for _, a := range failed.Attempts {
			fmt.Println(a.Address, a.Stage, a.Stage == pg.ConnectDial)
		}
	}
	fmt.Println("safe to retry:", pgconn.SafeToRetry(err))
	// Output:
	// 127.0.0.1:1 dialing true
	// safe to retry: true
}

// A StatementError says which statement failed, and at which stage.
func ExampleStatementError() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		_, err := db.Exec(ctx, "select 1 / n from generate_series($1::int, 1) n", 0)
		var failed *pg.StatementError
		if errors.As(err, &failed) {
			fmt.Println(failed.Stage, failed.SQL)
			fmt.Println(failed.Stage == pg.StageRun, failed.MaybeApplied)
		}
		var server *pgconn.PgError
		if errors.As(err, &server) {
			fmt.Println(server.Code)
		}
		return nil
	})
	// Prints: running select 1 / n from generate_series($1::int, 1) n
	// true false
	// 22012
}

func ExampleEncodeError() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		_, err := db.Exec(ctx, "select $1::text, $2::int", "one", []string{"two"})
		var failed *pg.EncodeError
		if errors.As(err, &failed) {
			fmt.Println("argument", failed.Arg, "for", failed.Type, "- no value of its type fits:", failed.Unsuitable)
		}
		return nil
	})
	// Prints: argument 1 for int4 - no value of its type fits: true
}

// While every session has an owner, a caller waits until its context ends. In debug mode the
// error's Holders say where the sessions were acquired.
func ExampleExhaustedError() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		config := *db.Config()
		config.Sessions = 1
		small, err := pg.OpenConfig(&config)
		if err != nil {
			return err
		}
		s, err := small.Acquire(ctx)
		if err != nil {
			return err
		}
		soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err = small.Acquire(soon)
		var exhausted *pg.ExhaustedError
		if errors.As(err, &exhausted) {
			fmt.Println(exhausted.InUse, "of", exhausted.Most, errors.Is(err, context.DeadlineExceeded))
		}
		s.Release()
		return small.Close(ctx)
	})
	// Prints: 1 of 1 true
}

// The end of a session's connection ends the session. A new session works.
func ExampleLostError() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		if _, err := db.Exec(ctx, "select pg_terminate_backend($1, 10000)", s.PID()); err != nil {
			return err
		}
		_, err = s.Exec(ctx, "create table t (id int)")
		var lost *pg.LostError
		fmt.Println(errors.Is(err, pg.ErrConnLost), errors.As(err, &lost) && lost.MaybeApplied)
		return db.Ping(ctx)
	})
	// Prints: true false
}

func ExampleLogTracer() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		config := *db.Config()
		config.Lanes = 1
		config.Tracer = &pg.LogTracer{
			Slow: time.Minute,
			Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == "took" || a.Key == "err" {
					return slog.Attr{} // so that the example always prints the same
				}
				return a
			}})),
		}
		traced, err := pg.OpenConfig(&config)
		if err != nil {
			return err
		}
		_, _ = traced.Exec(ctx, "select 1 / $1::int", 0)
		return traced.Close(ctx)
	})
	// Prints: level=ERROR msg=query sql="select 1 / $1::int"
}
