package dbtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A Silent is a database behind a network that becomes silent: at each message of each operation,
// on the connections that are open then. New connections work. Every call returns by its deadline;
// a call that ends something returns after a limited time. Nothing is left over, and the next
// callers get new connections.
type Silent struct {
	At     testserver.Target
	Frames faultproxy.Frames
	// Open opens an Engine on the database at another address. patience is its cancel_timeout, if
	// there is such an option. The test calls close after it has closed the Engine; close may be nil.
	Open func(ctx context.Context, at testserver.Target, patience time.Duration, opts ...db.Option) (e *db.Engine, close func() error, err error)

	patience time.Duration
}

const (
	silentDeadline = 50 * time.Millisecond // of an operation
	silentTeardown = 100 * time.Millisecond
	silentPatience = 100 * time.Millisecond
	silentNext     = 500 * time.Millisecond // of the next operations; each retry gets twice as long
	silentHang     = 15 * time.Second       // a call that takes longer hangs, however slow the machine
	silentUseless  = 6 * silentHang         // an Engine that doesn't work by then never will, however slow the machine
)

// silentAtOnce is how many calls are made at once. Each has some connections, and each attempt that
// comes too late adds more. So many at once would keep a slow machine from ever answering one in
// time.
var silentAtOnce = 12 * runtime.GOMAXPROCS(0)

var errUndo = errors.New("undo")

const silentInsert = "insert into silent(id) values (:id)"

// silentCalls are the calls that are made with a deadline. They may fail.
var silentCalls = map[string]struct {
	opts []db.Option
	do   func(ctx context.Context, s *Silent, e *db.Engine) error
}{
	"Exec": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		_, err := e.Exec(ctx, silentInsert, db.Named("id", 1))
		return err
	}},
	"a script": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		_, err := e.Exec(ctx, "insert into silent(id) values (1); insert into silent(id) values (2)")
		return err
	}},
	"Query": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		_, err := db.All[int](ctx, e, "select 1 where 1 in (:list)", db.Named("list", []int{1, 2}))
		return err
	}},
	"Begin, commit": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, silentInsert, db.Named("id", 1))
			return err
		})
	}},
	"Begin, roll back": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, silentInsert, db.Named("id", 1))
			return errors.Join(err, errUndo)
		})
	}},
	"savepoints": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, silentInsert, db.Named("id", 1))
			one := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return nil })
			other := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return errUndo })
			return errors.Join(err, one, other)
		})
	}},
	"BeginTx, and Rollback without a deadline": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		tx, err := e.BeginTx(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, silentInsert, db.Named("id", 1))
		return errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}},
	"a Conn": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		conn, err := e.Connect(ctx)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, silentInsert, db.Named("id", 1))
		return errors.Join(err, conn.Close())
	}},
	"a Conn with AutoBegin": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		conn, err := e.Connect(ctx, db.AutoBegin())
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, silentInsert, db.Named("id", 1))
		return errors.Join(err, conn.Commit(ctx), conn.Close())
	}},
	"a Conn that is closed in a transaction": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		conn, err := e.Connect(ctx)
		if err != nil {
			return err
		}
		tx, err := conn.BeginTx(ctx)
		if err == nil {
			_, err = tx.Exec(ctx, silentInsert, db.Named("id", 1))
		}
		return errors.Join(err, conn.Close())
	}},
	"pre-ping": {opts: []db.Option{db.PrePing(0)}, do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		conn, err := e.Connect(ctx)
		if err != nil {
			return err
		}
		return conn.Close()
	}},
	"Stream": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		return silentStream(ctx, e, 1000)
	}},
	"Stream, left early": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		return silentStream(ctx, e, 1)
	}},
	"Stream, left early, whose context goes on": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		conn, err := e.Connect(ctx)
		if err != nil {
			return err
		}
		rows, err := conn.Stream(ctx, "select 1 union all select 2 union all select 3")
		if err == nil {
			rows.Next()
			err = rows.Close()
		}
		return errors.Join(err, conn.Close())
	}},
	"Stream in a transaction, left early": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return errors.Join(silentStream(ctx, tx, 1), errUndo)
		})
	}},
	"ExecMany": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		_, err := db.ExecMany(ctx, e, silentInsert, []map[string]any{{"id": 1}, {"id": 2}})
		return err
	}},
	"Retry": {do: func(ctx context.Context, _ *Silent, e *db.Engine) error {
		return db.Retry(ctx, e, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, silentInsert, db.Named("id", 1))
			return err
		})
	}},
	"Close": {do: func(ctx context.Context, s *Silent, _ *db.Engine) error {
		other, closed, err := s.open(ctx)
		if err != nil {
			return err
		}
		_, err = other.Exec(ctx, silentInsert, db.Named("id", 1))
		err = errors.Join(err, other.Close(ctx))
		if closed != nil {
			err = errors.Join(err, closed())
		}
		return err
	}},
}

// streamer is a Conn, Tx or Engine: anything that has Stream.
type streamer interface {
	Stream(ctx context.Context, query string, args ...any) (*db.Rows, error)
}

// silentStream reads up to n rows of a stream and closes it.
func silentStream(ctx context.Context, q streamer, n int) error {
	rows, err := q.Stream(ctx, "select 1 union all select 2 union all select 3 union all select 4")
	if err != nil {
		return err
	}
	for ; n > 0 && rows.Next(); n-- {
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (s *Silent) open(ctx context.Context, opts ...db.Option) (*db.Engine, func() error, error) {
	return s.Open(ctx, s.At, s.patience, append([]db.Option{db.PoolSize(1), db.MaxOverflow(0), db.TeardownTimeout(silentTeardown)}, opts...)...)
}

// call makes a call on an Engine of its own. The network becomes silent after n messages, or never
// if n is negative. It returns how many messages there were.
func (s Silent) call(t *testing.T, c Colour, name string, n int64) (messages int64, err error) {
	proxy := faultproxy.New(t, s.At.Addr())
	defer proxy.Close()
	proxy.Split(s.Frames)
	s.At.Host, s.At.Port = proxy.Host(), proxy.Port()
	run := func(ctx context.Context, fn func(ctx context.Context) error) error { return fn(ctx) }
	if c.Loop {
		run = func(ctx context.Context, fn func(ctx context.Context) error) error { return repaint.Run(ctx, fn) }
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*silentUseless)
	defer cancel()
	call := silentCalls[name]
	err = run(ctx, func(ctx context.Context) (err error) {
		opts := call.opts
		s.patience = silentPatience
		if n < 0 { // the call may take long on a busy machine
			s.patience = silentHang
			opts = append(slices.Clip(opts), db.TeardownTimeout(silentHang))
		}
		e, closed, err := s.open(ctx, opts...)
		if err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		defer func() {
			limited, end := context.WithTimeout(ctx, silentHang)
			defer end()
			err = errors.Join(err, e.Close(limited))
			if st := e.Stats(); st.InUse+st.Open+st.Waiting > 0 {
				err = errors.Join(err, fmt.Errorf("left behind: %+v", st))
			}
			if closed != nil {
				err = errors.Join(err, closed())
			}
		}()
		if err := silentWorks(ctx, e, silentHang); err != nil {
			return fmt.Errorf("before: %w", err)
		}
		began, before := time.Now(), proxy.Stats().Messages
		limited, end := context.WithCancel(ctx)
		if n >= 0 {
			proxy.SwallowAfter(n)
			limited, end = context.WithTimeout(ctx, silentDeadline)
		}
		defer end()
		if err := call.do(limited, &s, e); n < 0 && err != nil && !errors.Is(err, errUndo) {
			return err
		}
		if took := time.Since(began); took > silentHang {
			return fmt.Errorf("it took %v", took)
		}
		messages = proxy.Stats().Messages - before
		if err := silentWorks(ctx, e, silentNext); err != nil {
			return fmt.Errorf("afterwards nothing works: %w", err)
		}
		return nil
	})
	return messages, err
}

// silentWorks uses the Engine until that works, each time with more patience: an Engine that works
// may be slow on a busy machine.
func silentWorks(ctx context.Context, e *db.Engine, patience time.Duration) error {
	for began := time.Now(); ; patience *= 2 {
		limited, end := context.WithTimeout(ctx, patience)
		_, err := e.Exec(limited, silentInsert, db.Named("id", 0))
		if err == nil {
			err = e.InTx(limited, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, silentInsert, db.Named("id", 0))
				return err
			})
		}
		end()
		if err == nil || time.Since(began) > silentUseless {
			return err
		}
	}
}

// Test makes every call with the network silent after each message, in both colours.
func (s Silent) Test(t *testing.T) {
	s.At.MustQuery(t, "create table silent(id integer)")
	leakcheck.Test(t)
	room := make(chan struct{}, silentAtOnce)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, c := range []Colour{Blocking, InLoop} {
		for name := range silentCalls {
			messages, err := s.call(t, c, name, -1)
			require.NoError(t, err, "%s, on a network that works", name)
			require.Positive(t, messages, name)
			for n := int64(0); n <= messages; n++ {
				room <- struct{}{}
				wg.Go(func() {
					defer func() { <-room }()
					_, err := s.call(t, c, name, n)
					assert.NoError(t, err, "%s, %s: silent after %d of %d messages", name, c.Name, n, messages)
				})
			}
		}
	}
}
