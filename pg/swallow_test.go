package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// The network becomes silent at each message of each operation, on the connections that are open
// then. New connections work. Every call returns by its deadline. A call that ends something
// returns after a limited time. Nothing is left behind, and the next callers get new connections.

const (
	swallowDeadline = 50 * time.Millisecond  // of an operation
	swallowPatience = 100 * time.Millisecond // cancel_timeout
	swallowNext     = 500 * time.Millisecond // of the next operations, which are tried again, for twice as long
	swallowHang     = 15 * time.Second       // a call that takes longer waits forever, however slow the machine is
	swallowAtOnce   = 32                     // keeps the processors busy; with more, a call would wait for them
	swallowConnect  = 5 * time.Second        // connect_timeout
	swallowUseless  = 6 * swallowHang        // a DB that doesn't work by then never will, however slow the machine is
)

// swallowedCalls are the calls with a deadline. They may fail.
var swallowedCalls = map[string]func(ctx context.Context, db *DB) error{
	"Exec": func(ctx context.Context, db *DB) error {
		_, err := db.Exec(ctx, "insert into t values (1)")
		return err
	},
	"Exec, again": func(ctx context.Context, db *DB) error {
		_, err := db.Exec(ctx, "insert into t values ($1)", 1)
		return err
	},
	"Query": func(ctx context.Context, db *DB) error {
		rows, err := db.Query(ctx, "select generate_series(1, $1::int)", 3)
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowTo[int])
		return err
	},
	"SendBatch": func(ctx context.Context, db *DB) error {
		return db.SendBatch(ctx, batchOf("select 1", "select 2")).Close()
	},
	"Commit": func(ctx context.Context, db *DB) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { _, err := tx.Exec(ctx, "insert into t values (2)"); return err })
	},
	"Rollback": func(ctx context.Context, db *DB) error {
		return inTx(ctx, db, func(tx *Tx) error { _, err := tx.Exec(ctx, "insert into t values (2)"); return err })
	},
	"a savepoint": func(ctx context.Context, db *DB) error {
		return inTx(ctx, db, func(tx *Tx) error {
			return pgx.BeginFunc(ctx, tx, func(pgx.Tx) error { return errors.New("undo") })
		})
	},
	"a cursor": func(ctx context.Context, db *DB) error {
		return inTx(ctx, db, func(tx *Tx) error {
			c, err := tx.Cursor(ctx, "select generate_series(1, 10)")
			if err != nil {
				return err
			}
			_, err = c.Fetch(ctx, 2)
			return errors.Join(err, c.Close(context.WithoutCancel(ctx)))
		})
	},
	"Release": func(ctx context.Context, db *DB) error {
		return inSession(ctx, db, func(s *Session) error {
			_, err := s.Exec(ctx, "set work_mem = '1MB'")
			s.Release()
			return err
		})
	},
	"Renew": func(ctx context.Context, db *DB) error {
		return inSession(ctx, db, func(s *Session) error {
			again, err := s.Renew(ctx)
			if err == nil {
				again.Release()
			}
			return err
		})
	},
	"Close of a session": func(ctx context.Context, db *DB) error {
		return inSession(ctx, db, func(s *Session) error {
			_, err := s.Exec(ctx, "select 1")
			return errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		})
	},
	"Prepare": func(ctx context.Context, db *DB) error {
		return inSession(ctx, db, func(s *Session) error {
			_, err := s.Prepare(ctx, "p", "select $1::int")
			return errors.Join(err, s.Deallocate(ctx, "p"))
		})
	},
	"Stream": func(ctx context.Context, db *DB) error {
		rows, err := db.Stream(ctx, "select repeat('x', 50000) from generate_series(1, 3)")
		for err == nil && rows.Next() {
		}
		return errors.Join(err, rows.Err())
	},
	"Stream, left early": func(ctx context.Context, db *DB) error {
		rows, err := db.Stream(ctx, "select repeat('x', 50000) from generate_series(1, 5)")
		if err == nil {
			rows.Next()
			rows.Close()
		}
		return err
	},
	"Stream, left early in a transaction": func(ctx context.Context, db *DB) error {
		return inTx(ctx, db, func(tx *Tx) error {
			rows, err := tx.Stream(ctx, "select repeat('x', 50000) from generate_series(1, 5)")
			if err == nil {
				rows.Next()
				rows.Close()
			}
			return err
		})
	},
	"CopyFrom": func(ctx context.Context, db *DB) error {
		_, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}, {2}}))
		return err
	},
	"CopyFrom, left early": func(ctx context.Context, db *DB) error {
		_, err := db.CopyFromReader(ctx, io.MultiReader(strings.NewReader("1\n"), failingReader{}), "copy t from stdin")
		return err
	},
	"CopyTo": func(ctx context.Context, db *DB) error {
		_, err := db.CopyTo(ctx, io.Discard, "copy (select generate_series(1, 3)) to stdout")
		return err
	},
	"Listen": func(ctx context.Context, db *DB) error {
		l, err := db.Listen(ctx, "c")
		if err != nil {
			return err
		}
		defer l.Close()
		if err := db.Notify(ctx, "c", ""); err != nil {
			return err
		}
		_, err = l.Next(ctx)
		return err
	},
	"Close": func(ctx context.Context, db *DB) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		_, err = s.Exec(ctx, "select 1")
		other, wrong := OpenConfig(db.Config())
		if wrong != nil {
			return wrong
		}
		_, wrong = other.Exec(ctx, "select pg_sleep(0.02)")
		return errors.Join(err, wrong, other.Close(ctx))
	},
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("no more") }

// inTx calls fn in a transaction, which it rolls back with a context that doesn't end.
func inTx(ctx context.Context, db *DB, fn func(tx *Tx) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	err = fn(tx.(*Tx))
	return errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
}

func inSession(ctx context.Context, db *DB, fn func(s *Session) error) error {
	s, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer s.Release()
	return fn(s)
}

// run calls fn in the colour.
func (c colour) run(ctx context.Context, fn func(ctx context.Context) error) error {
	if c.loop {
		return repaint.Run(ctx, fn)
	}
	return fn(ctx)
}

// swallowed does an operation on a DB of its own while the network becomes silent after n messages,
// or never if n is negative. It returns how many messages there were.
func swallowed(t *testing.T, c colour, target testserver.Target, connected bool, n int64, do func(ctx context.Context, db *DB) error) (messages int64, err error) {
	proxy := faultproxy.New(t, target.Addr())
	defer proxy.Close()
	proxy.Split(faultproxy.Postgres)
	target.Host, target.Port = proxy.Host(), proxy.Port()
	patience := swallowPatience
	if n < 0 { // however long it takes on a busy machine
		patience = swallowHang
	}
	config, err := ParseConfig(target.URL() + fmt.Sprintf("&pool_lanes=2&pool_sessions=1&cancel_timeout=%v", patience))
	if err != nil {
		return 0, err
	}
	config.Conn.ConnectTimeout = swallowConnect
	db, err := OpenConfig(config)
	if err != nil {
		return 0, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), swallowHang)
		defer cancel()
		err = errors.Join(err, db.Close(ctx))
		if st := db.Stats(); st.Lanes+st.Sessions+st.Connecting+st.InFlight+st.Queued+st.Waiting > 0 {
			err = errors.Join(err, fmt.Errorf("left behind: %+v", st))
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 4*swallowUseless)
	defer cancel()
	return messages, c.run(ctx, func(ctx context.Context) error {
		works := func(ctx context.Context) error {
			if _, err := db.Exec(ctx, "insert into t values ($1)", 0); err != nil {
				return err
			}
			return inTx(ctx, db, func(tx *Tx) error { _, err := tx.Exec(ctx, "select 1"); return err })
		}
		worksSoon := func(patience time.Duration) error {
			for began := time.Now(); ; patience *= 2 { // on a busy machine a working call may be slow
				limited, end := context.WithTimeout(ctx, patience)
				err := works(limited)
				end()
				if err == nil || time.Since(began) > swallowUseless {
					return err
				}
			}
		}
		if connected {
			if err := worksSoon(swallowHang); err != nil {
				return fmt.Errorf("before: %w", err)
			}
		}
		began := time.Now()
		before := proxy.Stats().Messages
		if n >= 0 {
			proxy.SwallowAfter(n)
		}
		limited, end := context.WithTimeout(ctx, swallowDeadline)
		if n < 0 {
			limited, end = context.WithCancel(ctx)
		}
		defer end()
		if err := do(limited, db); n < 0 && err != nil && err.Error() != "undo" && !strings.Contains(err.Error(), "no more") {
			return err
		}
		if took := time.Since(began); took > swallowHang {
			return fmt.Errorf("it took %v", took)
		}
		messages = proxy.Stats().Messages - before
		if err := worksSoon(swallowNext); err != nil {
			return fmt.Errorf("afterwards nothing works: %w", err)
		}
		return nil
	})
}

func TestNetworkIsSilentFromAnyMessageOn(t *testing.T) {
	// Without passwords, since thousands of connections are made.
	srv := testserver.Postgres(t, testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust"), testserver.Config("max_connections=500"))
	target := srv.Database(t)
	target.MustQuery(t, "create table t (id int)")
	leakcheck.Test(t)
	var wg sync.WaitGroup
	room := make(chan struct{}, swallowAtOnce)
	defer wg.Wait()
	for _, c := range []colour{{}, {loop: true}} {
		for name, do := range swallowedCalls {
			for _, connected := range []bool{true, false} {
				if !connected && name != "Exec" && name != "Rollback" && name != "Listen" {
					continue // to connect is the same for all
				}
				messages, err := swallowed(t, c, target, connected, -1, do)
				require.NoError(t, err, "%s, on a network that works", name)
				require.Positive(t, messages, name)
				for n := int64(0); n <= messages; n++ {
					room <- struct{}{}
					wg.Go(func() {
						defer func() { <-room }()
						_, err := swallowed(t, c, target, connected, n, do)
						assert.NoError(t, err, "%s, loop %v, connected %v: silent after %d of %d messages", name, c.loop, connected, n, messages)
					})
				}
			}
		}
	}
}
