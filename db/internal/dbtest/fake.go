package dbtest

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// Fake is a dialect without a database: the test decides what its connections do. It checks that no
// two callers use a connection at once.
type Fake struct {
	// OnConnect and OnDo may wait with repaint.Await. A nil function does nothing.
	OnConnect func(ctx context.Context) error
	OnDo      func(ctx context.Context, s *FakeSession, c *backend.Call) error
	// OnEnd may make a commit, rollback or release fail.
	OnEnd func(what string, s *FakeSession) error
	// OnBegin receives the options of each transaction, and may make it fail.
	OnBegin func(o db.TxOptions) error
	Limit   backend.Limits

	Connects atomic.Int64
	Open     atomic.Int64
	MostOpen atomic.Int64
	Overlaps atomic.Int64 // calls on a connection that was in use

	mu  sync.Mutex
	log []string // what callers asked of the sessions
}

// ErrFakeGone is the error of a lost connection.
var ErrFakeGone = errors.New("the fake connection is gone")

var fakes atomic.Int64

// Register makes the fake a dialect of its own and returns its URL.
func (f *Fake) Register() (url string) {
	d := fakeDialect{f, fmt.Sprint("fake", fakes.Add(1))}
	backend.Register(d)
	return d.name + "://"
}

// Log returns what callers asked of the sessions since the last call of Log.
func (f *Fake) Log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

type fakeDialect struct {
	*Fake
	name string
}

func (d fakeDialect) Name() string                                 { return d.name }
func (d fakeDialect) Options() []string                            { return []string{"colour"} }
func (d fakeDialect) Connector(*db.URL) (backend.Connector, error) { return d, nil }
func (d fakeDialect) Rules() *sqltext.Rules                        { return &sqltext.Rules{DollarQuotes: true, Natives: "$"} }
func (d fakeDialect) Placeholder(n int) string                     { return fmt.Sprint("$", n) }
func (d fakeDialect) Limits() backend.Limits                       { return d.Limit }
func (d fakeDialect) Close() error                                 { return nil }

// Traits takes statements that begin with "write" for writes, besides the usual ones.
func (d fakeDialect) Traits(_ string, st []sqltext.Statement) backend.Traits {
	switch st[0].Verb {
	case "write", "insert", "delete", "create":
		return backend.Traits{Writes: true}
	}
	return backend.Traits{}
}

func (d fakeDialect) Fault(err error) db.Fault {
	if errors.Is(err, ErrFakeGone) {
		return db.Fault{Condition: db.ErrDisconnected}
	}
	return db.Fault{}
}

func (d fakeDialect) Connect(ctx context.Context) (backend.Session, error) {
	n := d.Connects.Add(1)
	if d.OnConnect != nil {
		if err := d.OnConnect(ctx); err != nil {
			return nil, err
		}
	}
	open := d.Open.Add(1)
	for most := d.MostOpen.Load(); open > most && !d.MostOpen.CompareAndSwap(most, open); most = d.MostOpen.Load() {
	}
	return &FakeSession{f: d.Fake, ID: n}, nil
}

// FakeSession is a connection of a Fake.
type FakeSession struct {
	f    *Fake
	ID   int64 // connections count from 1
	busy atomic.Bool

	State  backend.Status
	closed atomic.Bool
}

func (s *FakeSession) call(what string) func() {
	if !s.busy.CompareAndSwap(false, true) || s.closed.Load() {
		s.f.Overlaps.Add(1)
	}
	s.f.mu.Lock()
	s.f.log = append(s.f.log, what)
	s.f.mu.Unlock()
	return func() { s.busy.Store(false) }
}

func (s *FakeSession) Do(ctx context.Context, c *backend.Call) error {
	defer s.call(c.Statement.Text)()
	c.Columns, c.Values = []backend.Column{{Name: "id"}}, []driver.Value{s.ID}
	if s.f.OnDo == nil {
		return nil
	}
	err := s.f.OnDo(ctx, s, c)
	if errors.Is(err, ErrFakeGone) {
		s.State = backend.Broken
	}
	return err
}

func (s *FakeSession) Begin(_ context.Context, o db.TxOptions) error {
	defer s.call("begin")()
	if s.f.OnBegin != nil {
		if err := s.f.OnBegin(o); err != nil {
			return err
		}
	}
	s.State = backend.InTx
	return nil
}

func (s *FakeSession) Commit(context.Context) error {
	defer s.call("commit")()
	s.State = backend.Idle
	return s.end("commit")
}

func (s *FakeSession) Rollback(context.Context) error {
	defer s.call("rollback")()
	s.State = backend.Idle
	return s.end("rollback")
}

func (s *FakeSession) Savepoint(_ context.Context, name string) error {
	defer s.call("savepoint " + name)()
	return nil
}

func (s *FakeSession) Release(_ context.Context, name string) error {
	defer s.call("release " + name)()
	return s.end("release")
}

func (s *FakeSession) RollbackTo(_ context.Context, name string) error {
	defer s.call("rollback to " + name)()
	return s.end("rollback to")
}

func (s *FakeSession) end(what string) error {
	if s.f.OnEnd == nil {
		return nil
	}
	return s.f.OnEnd(what, s)
}

func (s *FakeSession) Status() backend.Status { return s.State }

func (s *FakeSession) Close(context.Context) error {
	if s.closed.CompareAndSwap(false, true) {
		s.f.Open.Add(-1)
	}
	return nil
}
