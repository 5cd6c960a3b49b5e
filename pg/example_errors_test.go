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

// The attempts say for each address how far it got, and why no further.
func ExampleConnectAttempt() {
	err := error(&pg.ConnectError{Attempts: []pg.ConnectAttempt{
		{Address: "db1.example", Stage: pg.ConnectLookup, Err: errors.New("no such host")},
		{Address: "10.0.0.2:5432", Stage: pg.ConnectStart, Err: &pgconn.PgError{Code: "28P01", Message: "password authentication failed"}},
	}})
	var failed *pg.ConnectError
	if errors.As(err, &failed) {
		for _, a := range failed.Attempts {
			var server *pgconn.PgError
			fmt.Println(a.Address, "failed while", a.Stage, "- the server answered:", errors.As(a.Err, &server))
		}
	}
	// Output:
	// db1.example failed while looking up the host - the server answered: false
	// 10.0.0.2:5432 failed while starting - the server answered: true
}

// The stage of a failed attempt says who can help.
func ExampleConnectStage() {
	help := func(stage pg.ConnectStage) string {
		switch stage {
		case pg.ConnectLookup, pg.ConnectDial:
			return "check the host, the port and the network"
		case pg.ConnectTLS:
			return "check sslmode and the certificates"
		case pg.ConnectStart:
			return "check the user, the password and the database"
		}
		return "see the error"
	}
	db, err := pg.Open("postgres://me@127.0.0.1:1/app?sslmode=disable")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer func() { _ = db.Close(ctx) }()
	var failed *pg.ConnectError
	if errors.As(db.Ping(ctx), &failed) {
		fmt.Println(help(failed.Attempts[0].Stage))
	}
	// Output: check the host, the port and the network
}

// The stage tells a statement that the server refuses from one that isn't sent, and from one that
// fails later.
func ExampleStage() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		var failed *pg.StatementError
		for _, text := range []string{"selekt 1", "select $1::int", "select 1 / (i - 1) from generate_series(1, 1) i"} {
			var args []any
			if text == "select $1::int" {
				args = []any{[]string{"no number"}}
			}
			if _, err := db.Exec(ctx, text, args...); errors.As(err, &failed) {
				fmt.Println(failed.Stage == pg.StagePrepare, failed.Stage == pg.StageEncode, failed.Stage == pg.StageRun)
			}
		}
		return nil
	})
	// Prints: true false false
	// false true false
	// false false true
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
		if _, err := s.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())"); err == nil {
			return errors.New("the server has kept the session")
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
