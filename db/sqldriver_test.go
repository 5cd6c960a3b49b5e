package db_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/sqltext"
)

// scripted is a driver for database/sql that calls its hooks.
type scripted struct {
	do      func(ctx context.Context, c *scriptedConn, text string, args []driver.NamedValue) (driver.Rows, error)
	connect func() error
	checks  bool
	opened  atomic.Int64
	open    atomic.Int64
	overlap atomic.Int64

	mu  sync.Mutex
	log []string
}

func (s *scripted) Connect(context.Context) (driver.Conn, error) {
	if s.connect != nil {
		if err := s.connect(); err != nil {
			return nil, err
		}
	}
	s.open.Add(1)
	c := &scriptedConn{s: s, id: s.opened.Add(1)}
	if s.checks {
		return struct {
			*scriptedConn
			checker
		}{c, checker{}}, nil
	}
	return c, nil
}

func (s *scripted) Driver() driver.Driver { return nil }

func (s *scripted) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, text)
}

func (s *scripted) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.log
	s.log = nil
	return log
}

type scriptedConn struct {
	s    *scripted
	id   int64
	busy atomic.Bool
	bad  bool
}

type checker struct{}

func (checker) CheckNamedValue(v *driver.NamedValue) error {
	if list, ok := v.Value.([]int); ok {
		v.Value = fmt.Sprint(list)
		return nil
	}
	return driver.ErrSkip
}

func (c *scriptedConn) Prepare(text string) (driver.Stmt, error) {
	c.s.note("prepare " + text)
	return &scriptedStmt{c, text}, nil
}
func (c *scriptedConn) Close() error {
	if c.busy.Load() {
		c.s.overlap.Add(1)
	}
	c.s.open.Add(-1)
	return nil
}
func (c *scriptedConn) Begin() (driver.Tx, error) { return nil, errors.New("not used") }
func (c *scriptedConn) IsValid() bool             { return !c.bad }
func (c *scriptedConn) ResetSession(context.Context) error {
	if c.bad {
		return driver.ErrBadConn
	}
	return nil
}

type scriptedStmt struct {
	c    *scriptedConn
	text string
}

func (st *scriptedStmt) Close() error  { st.c.s.note("close " + st.text); return nil }
func (st *scriptedStmt) NumInput() int { return -1 }
func (st *scriptedStmt) Exec([]driver.Value) (driver.Result, error) {
	return nil, errors.New("not used")
}
func (st *scriptedStmt) Query([]driver.Value) (driver.Rows, error) {
	return nil, errors.New("not used")
}

func (st *scriptedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	_, err := st.QueryContext(ctx, args)
	return driver.RowsAffected(0), err
}

func (st *scriptedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if !st.c.busy.CompareAndSwap(false, true) {
		st.c.s.overlap.Add(1)
	}
	defer st.c.busy.Store(false)
	if st.c.s.do != nil {
		rows, err := st.c.s.do(ctx, st.c, st.text, args)
		if rows != nil || err != nil {
			return rows, err
		}
	}
	return &reusedRows{n: 2}, nil
}

// reusedRows returns bytes in memory that it reuses, as drivers may.
type reusedRows struct {
	n    int
	last []byte
}

func (r *reusedRows) Columns() []string { return []string{"b", "t"} }
func (r *reusedRows) Close() error      { clear(r.last); return nil }
func (r *reusedRows) Next(dest []driver.Value) error {
	if r.n == 0 {
		return io.EOF
	}
	if r.last == nil {
		r.last = make([]byte, 1)
	}
	r.last[0] = byte('0' + r.n)
	r.n--
	dest[0] = r.last
	dest[1] = time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	return nil
}

type scriptedDialect struct {
	name string
	s    *scripted
}

func (d scriptedDialect) Name() string           { return d.name }
func (d scriptedDialect) Options() []string      { return nil }
func (d scriptedDialect) Rules() *sqltext.Rules  { return &sqltext.Rules{} }
func (d scriptedDialect) Placeholder(int) string { return "?" }
func (d scriptedDialect) Fault(error) db.Fault   { return db.Fault{} }
func (d scriptedDialect) Traits(_ string, st []sqltext.Statement) backend.Traits {
	return backend.Traits{Plan: true, Writes: st[0].Verb == "write"}
}
func (d scriptedDialect) Connector(*db.URL) (backend.Connector, error) {
	return db.SQLConnector(db.SQLDriver{Connector: d.s, KeepStatements: 2, Limits: backend.Limits{OneWriter: true, PoolSize: 2},
		BeginText: func(db.TxOptions) []string { return []string{"begin"} }}), nil
}

var scripts atomic.Int64

func (s *scripted) register() string {
	d := scriptedDialect{fmt.Sprint("scripted", scripts.Add(1)), s}
	backend.Register(d)
	return d.name + "://"
}

func TestValuesDontDependOnTheDriversMemory(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, (&scripted{}).register())
		rows, err := e.Query(ctx, "read")
		require.NoError(t, err)
		for _, want := range []string{"2", "1"} {
			require.True(t, rows.Next())
			var b []byte
			var at time.Time
			require.NoError(t, rows.Scan(&b, &at))
			require.Equal(t, want, string(b))
			require.Equal(t, time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC), at, "times are in UTC")
		}
	})
}

func TestPreparedStatementsAreKeptUpToTheLimit(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		s := &scripted{}
		e := dbtest.Open(t, ctx, s.register())
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		for _, text := range []string{"a", "b", "a", "c", "a", "b"} {
			dbtest.Exec(t, ctx, conn, text)
		}
		require.Equal(t, []string{"prepare a", "prepare b", "prepare c", "close b", "prepare b", "close c"}, s.took())
		require.NoError(t, conn.Close())
	})
}

func TestADriversPanicIsTheCallersAndCostsOneConnection(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		s := &scripted{do: func(_ context.Context, _ *scriptedConn, text string, _ []driver.NamedValue) (driver.Rows, error) {
			if text == "read panic" || text == "write panic" {
				panic("mine")
			}
			return nil, nil
		}}
		e := dbtest.Open(t, ctx, s.register())
		for _, text := range []string{"read panic", "write panic"} {
			requirePanic(t, "mine", func() { _, _ = e.Exec(ctx, text) })
			requirePanic(t, "mine", func() {
				_ = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Exec(ctx, text)
					return err
				})
			})
		}
		require.NoError(t, c.Together(ctx, 20, func(ctx context.Context, i int) error {
			_, err := e.Exec(ctx, []string{"read", "write"}[i%2])
			return err
		}))
		require.Zero(t, s.overlap.Load())
		require.LessOrEqual(t, s.open.Load(), int64(3))
	})
}

func TestAGoexitInTheDriverIsTheCallersToo(t *testing.T) {
	s := &scripted{do: func(_ context.Context, _ *scriptedConn, text string, _ []driver.NamedValue) (driver.Rows, error) {
		if text == "write exit" || text == "read exit" {
			runtime.Goexit()
		}
		return nil, nil
	}}
	ctx := context.Background()
	e := dbtest.Open(t, ctx, s.register(), db.PoolSize(1))
	for _, text := range []string{"write exit", "read exit"} {
		held, err := e.Connect(ctx) // so that the next caller has to wait
		require.NoError(t, err)
		dead := make(chan struct{})
		go func() {
			defer close(dead)
			_, _ = e.Exec(ctx, text)
			t.Error("Exec returned")
		}()
		if text == "read exit" {
			dbtest.UntilWaiting(ctx, e, 1)
		}
		require.NoError(t, held.Close())
		<-dead
		for _, text := range []string{"read", "write"} {
			_, err = e.Exec(ctx, text)
			require.NoError(t, err)
		}
	}
	require.Zero(t, s.overlap.Load())
}

// requirePanic requires a panic, which may be wrapped if it comes from another goroutine.
func requirePanic(t *testing.T, want any, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		r := recover()
		if p, ok := r.(*loop.PanicError); ok {
			r = p.Value
		}
		require.Equal(t, want, r)
	}()
	fn()
}

func TestADriverMayConvertArgumentsItself(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		var got []any
		s := &scripted{checks: true}
		e := dbtest.Open(t, ctx, s.register())
		s.do = func(_ context.Context, _ *scriptedConn, _ string, args []driver.NamedValue) (driver.Rows, error) {
			got = nil
			for _, a := range args {
				got = append(got, a.Value)
			}
			return nil, nil
		}
		_, err := e.Exec(ctx, "read :a :b", db.Named("a", []int{1, 2}), db.Named("b", int8(3)))
		require.NoError(t, err)
		require.Equal(t, []any{"[1 2]", int64(3)}, got)
	})
}

// checkingStmt is a statement that converts its arguments, and relies on that.
type checkingStmt struct{ *scriptedStmt }

type number int64

func (checkingStmt) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := v.Value.(int64); ok {
		v.Value = number(n)
		return nil
	}
	return driver.ErrSkip
}

type checkingConn struct{ *scriptedConn }

func (c checkingConn) Prepare(text string) (driver.Stmt, error) {
	return checkingStmt{&scriptedStmt{c.scriptedConn, text}}, nil
}

type checkingConnector struct{ *scripted }

func (s checkingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.scripted.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return checkingConn{c.(*scriptedConn)}, nil
}

func TestAStatementIsAskedForItsArguments(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		var got []any
		s := &scripted{do: func(_ context.Context, _ *scriptedConn, _ string, args []driver.NamedValue) (driver.Rows, error) {
			got = nil
			for _, a := range args {
				got = append(got, a.Value)
			}
			return nil, nil
		}}
		e := dbtest.Open(t, ctx, registerSQL(db.SQLDriver{Connector: checkingConnector{s}}, nil))
		_, err := e.Exec(ctx, "read :a :b", db.Named("a", int64(7)), db.Named("b", "x"))
		require.NoError(t, err)
		require.Equal(t, []any{number(7), "x"}, got)
		_, err = e.Query(ctx, "read :a :b", db.Named("a", int64(8)), db.Named("b", nil))
		require.NoError(t, err)
		require.Equal(t, []any{number(8), nil}, got)
	})
}

func TestArgumentsThatNoDriverTakesAreRefused(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, (&scripted{}).register())
		for _, c := range []struct {
			arg  any
			want string
		}{
			{[]int{1}, "the parameter :a, a []int: a list can't be one argument"},
			{make(chan int), "the parameter :a, a chan int: unsupported type"},
			{uint64(1 << 63), "the parameter :a, a uint64"},
			{struct{}{}, "unsupported type struct {}"},
		} {
			_, err := e.Exec(ctx, "read :a", db.Named("a", c.arg))
			require.ErrorIs(t, err, db.ErrParameter)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "[SQL: read :a]")
		}
	})
}

// database/sql itself would drop a connection whose session can't be reset.
func TestAConnectionThatCantBeResetIsReplacedUnnoticed(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		s := &scripted{}
		s.do = func(_ context.Context, c *scriptedConn, _ string, _ []driver.NamedValue) (driver.Rows, error) {
			c.bad = c.id == 2 // the pool's first connection; the writer's is number 1
			return nil, nil
		}
		e := dbtest.Open(t, ctx, s.register())
		for range 5 {
			_, err := e.Exec(ctx, "read")
			require.NoError(t, err)
		}
		require.Equal(t, int64(3), s.opened.Load())
	})
}

func TestADriverWithoutContextsIsRefused(t *testing.T) {
	ctx := context.Background()
	s := &scripted{}
	pool := sql.OpenDB(s)
	defer pool.Close()
	_, err := db.OpenDB(ctx, oldDialect{scriptedDialect{"old", s}}, pool)
	require.ErrorContains(t, err, "no ExecContext")
}

// oldDialect's driver has none of the newer optional methods.
type oldDialect struct{ scriptedDialect }

func (d oldDialect) ConnectorDB(context.Context, *sql.DB) (backend.Connector, error) {
	return db.SQLConnector(db.SQLDriver{Connector: oldConnector{d.s},
		Init: func(ctx context.Context, c *sqlbackend.Conn) error { return c.Exec(ctx, "x") }}), nil
}

type oldConnector struct{ *scripted }

func (c oldConnector) Connect(context.Context) (driver.Conn, error) { return oldConn{}, nil }

type (
	oldConn struct{}
	oldStmt struct{}
)

func (oldConn) Prepare(string) (driver.Stmt, error)        { return oldStmt{}, nil }
func (oldConn) Close() error                               { return nil }
func (oldConn) Begin() (driver.Tx, error)                  { return nil, nil }
func (oldStmt) Close() error                               { return nil }
func (oldStmt) NumInput() int                              { return 0 }
func (oldStmt) Exec([]driver.Value) (driver.Result, error) { return nil, nil }
func (oldStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, nil }
