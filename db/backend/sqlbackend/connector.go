package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
)

// New returns a Connector that opens its connections with open. It opens nothing yet.
func New(d Driver, open driver.Connector) backend.Connector {
	h := hooksOf(d)
	h.Connector = open
	return newConnector(h)
}

// NewDB returns a Connector that takes its connections from a *sql.DB. They go back to it when they
// are closed.
func NewDB(d Driver, pool *sql.DB) backend.Connector {
	h := hooksOf(d)
	h.DB = pool
	return newConnector(h)
}

func newConnector(h hooks) *connector {
	if h.BeginText == nil {
		h.BeginText = Defaults{}.BeginText
	}
	return &connector{d: h}
}

type connector struct {
	d        hooks
	asks     atomic.Int32 // holds an asks
	explored explored
	cleanup  time.Duration // the time limit for endings; 0 means none. Set before the first use
	inline   time.Duration // a call below this is short; 0 means that none is. Set before the first use
	paces    paces
	calls    calls
}

var (
	_ backend.Converter = (*connector)(nil)
	_ backend.Exposer   = (*connector)(nil)
	_ backend.Limited   = (*connector)(nil)
	_ backend.Suspender = (*connector)(nil)
	_ backend.Hasty     = (*connector)(nil)
)

func (c *connector) asked() asks { return asks(c.asks.Load()) }

func (c *connector) Limits() backend.Limits { return c.d.Limits }

// Suspends reports whether the sessions' calls suspend only the calling task.
func (c *connector) Suspends() bool { return c.d.Suspends && c.d.DB == nil && repaint.PollsHere() }

func (c *connector) LimitEndings(d time.Duration) { c.cleanup = d }

// Driver returns the driver.Connector or the *sql.DB that opens the connections.
func (c *connector) Driver() any {
	if c.d.DB != nil {
		return c.d.DB
	}
	return c.d.Connector
}

func (c *connector) Connect(ctx context.Context) (backend.Session, error) {
	s := c.newSession()
	opened := false
	defer func() {
		if !opened {
			go s.shut() // if the greenlet was killed: closes the connection once it is open
		}
	}()
	err := block(ctx, func(ctx context.Context) error {
		if err := s.enter(); err != nil {
			return err
		}
		defer s.turn.Unlock()
		err := s.ofContext(ctx, s.open(ctx))
		if err != nil {
			_ = s.shutLocked()
		}
		return err
	})
	opened = true
	if err != nil {
		return nil, err
	}
	if c.d.Reset != nil {
		return resettable{s}, nil
	}
	return s, nil
}

func (c *connector) newSession() *session {
	s := &session{d: &c.d, c: c}
	s.conn.d, s.conn.asks = &c.d, &c.asks
	return s
}

func (c *connector) Close() error {
	c.endAsking()
	if c.d.OnClose == nil {
		return nil
	}
	return block(context.Background(), func(context.Context) error { return c.d.OnClose() })
}

// block calls fn, which blocks, as [repaint.Block] does. In a loop that explores schedules, it
// calls fn directly: no other task runs there meanwhile.
func block(ctx context.Context, fn func(ctx context.Context) error) error {
	if explorer() != nil {
		return fn(ctx)
	}
	_, err := repaint.Block(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}
