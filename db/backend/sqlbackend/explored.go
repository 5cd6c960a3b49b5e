package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/internal/explore"
)

// In a loop that explores schedules, each statement is a step: the explorer executes it when the
// schedule reaches it, and no other task runs until it is answered or waits for a lock. So nothing
// is offloaded: a session's calls run on the goroutine of their caller, and only the explorer
// executes statements elsewhere.

// A stepping holds the state of a connection that takes part in exploring.
type stepping struct {
	explorer explore.Explorer // nil: statements are no steps
	ends     context.Context  // the context of the running call
	about    *explored
	number   int64            // the session's number; 0 before it is known
	patience explore.Patience // for SQLite only
}

// explored is what exploring knows about a database. It belongs to the connector.
type explored struct {
	mu    sync.Mutex // held during questions to the server
	known bool
	about explore.Database
	// sessions counts the numbered sessions. If the database has no number for a session, it gets
	// the negative count.
	sessions int64
	probe    *session // the session for questions to the server; nil before the first
}

// exploring is block in a loop that explores.
func (s *session) exploring(ctx context.Context, e explore.Explorer, fn func(ctx context.Context) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.turn.Unlock()
	return s.use(func() error {
		if err := s.patient(ctx); err != nil {
			return err
		}
		if err := s.identify(ctx); err != nil {
			return err
		}
		if s.conn.step.about.about.Lite {
			if err := s.conn.step.patience.Take(ctx, true, s.conn.texts); err != nil {
				return err
			}
		}
		s.conn.step.explorer, s.conn.step.ends = e, ctx
		defer func() { s.conn.step.explorer, s.conn.step.ends = nil, nil }()
		return s.interruptible(ctx, fn)
	})
}

// unexplored makes a connection to SQLite that took part in exploring wait for locks itself again.
func (s *session) unexplored(ctx context.Context) error {
	return s.conn.step.patience.Take(ctx, false, s.conn.texts)
}

// aside calls fn. fn's statements are no steps, because the program didn't send them.
func (c *Conn) aside(fn func() error) error {
	e := c.step.explorer
	c.step.explorer = nil
	defer func() { c.step.explorer = e }()
	return fn()
}

// identify finds out which database it is, and the number of the session.
func (s *session) identify(ctx context.Context) error {
	if s.conn.step.number != 0 {
		return nil
	}
	k := &s.c.explored
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known {
		k.about, k.known = explore.Recognize(ctx, s.conn.texts, s.c.ask), true
	}
	k.sessions++
	s.conn.step.about, s.conn.step.number = k, -k.sessions
	if k.about.Number == "" {
		return nil
	}
	rows, err := s.conn.texts(ctx, k.about.Number)
	if err == nil {
		_, err = fmt.Sscan(rows[0][0], &s.conn.step.number)
	}
	return err
}

// ask sends a query on a connection that serves only this purpose.
func (c *connector) ask(ctx context.Context, text string) ([][]string, error) {
	c.explored.mu.Lock()
	defer c.explored.mu.Unlock()
	s := c.explored.probe
	if s == nil {
		s = c.newSession()
		if err := s.open(ctx); err != nil {
			_ = s.shut() // the error of open is the more useful one
			return nil, err
		}
		c.explored.probe = s
	}
	var rows [][]string
	err := s.use(func() (err error) {
		rows, err = s.conn.texts(ctx, text)
		return err
	})
	if err != nil {
		_ = s.shut()
		c.explored.probe = nil
	}
	return rows, err
}

// endAsking closes the connection of ask.
func (c *connector) endAsking() {
	c.explored.mu.Lock()
	defer c.explored.mu.Unlock()
	if c.explored.probe != nil {
		_ = c.explored.probe.shut() // the connection holds nothing worth reporting
		c.explored.probe = nil
	}
}

// texts returns the rows of a query as text.
func (c *Conn) texts(ctx context.Context, text string) ([][]string, error) {
	var call backend.Call
	if err := c.Select(ctx, &call, text, false); err != nil {
		return nil, err
	}
	var rows [][]string
	for n := len(call.Columns); n > 0 && len(call.Values) >= n; call.Values = call.Values[n:] {
		var row []string
		for _, v := range call.Values[:n] {
			row = append(row, show(v))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// execute lets the explorer call fn.
func (c *Conn) execute(ctx context.Context, text string, args arguments, fn func(ctx context.Context) (string, error)) error {
	s := explore.Statement{
		Text:    text,
		Args:    showArgs(args),
		Server:  c.step.about.about.Server,
		Session: c.step.number,
		Ends:    c.step.ends,
	}
	if !c.step.about.about.Lite {
		s.Break, s.Raise = func() { _ = c.conn.Close() }, c.raise // breaks the connection
		if _, ok := s.Server.(*explore.Postgres); ok {
			s.Hasten = explore.Hastener(func(ctx context.Context, text string) (rows [][]string, err error) {
				err = c.aside(func() error {
					rows, err = c.texts(ctx, text)
					return err
				})
				return rows, err
			})
		}
	} else {
		c.step.patience.Has(&s)
	}
	return c.step.explorer.Execute(ctx, s, fn)
}

// raise makes the database report an error, as a fault of the schedule.
func (c *Conn) raise(ctx context.Context, state string) error {
	return c.aside(func() error {
		switch c.step.about.about.Server.(type) {
		case *explore.Postgres:
			return c.Exec(ctx, explore.RaisePostgres(state))
		case *explore.MariaDB, *explore.MySQL:
			return errors.Join(c.Exec(ctx, explore.RaiseMySQL(state)), c.Exec(ctx, "rollback"))
		}
		return fmt.Errorf("it isn't known how to have this database report the error %s", state)
	})
}

// execStep is exec as a step.
func (c *Conn) execStep(ctx context.Context, text string, args arguments, keep bool) (result driver.Result, err error) {
	err = c.execute(ctx, text, args, func(ctx context.Context) (string, error) {
		var err error
		if result, err = c.execNow(ctx, text, args, keep); err != nil || result == nil || c.step.about.about.Lite && !explore.ChangesRows(text) {
			return "done", err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return "done", nil // the number of rows is unknown
		}
		return explore.Count(int(n), "row"), nil
	})
	return result, err
}

// queryStep is query as a step.
func (c *Conn) queryStep(ctx context.Context, call *backend.Call, args arguments) error {
	return c.execute(ctx, call.Statement.Text, args, func(ctx context.Context) (string, error) {
		if err := c.queryNow(ctx, call, args); err != nil {
			return "", err
		}
		if call.Count() != 1 {
			return explore.Count(call.Count(), "row"), nil
		}
		var values []string
		for _, v := range call.Values {
			values = append(values, explore.Short(show(v)))
		}
		return strings.Join(values, ", "), nil
	})
}

// rowsStep is rows as a step. The rows are read later.
func (c *Conn) rowsStep(ctx context.Context, st *backend.Statement, args arguments) (rows driver.Rows, done func() error, err error) {
	err = c.execute(ctx, st.Text, args, func(ctx context.Context) (string, error) {
		var err error
		rows, done, err = c.rowsNow(ctx, st, args)
		return "a stream", err
	})
	return rows, done, err
}

// showArgs returns the arguments in the form in which a schedule shows them.
func showArgs(args arguments) string {
	var all []string
	if args.call != nil {
		for _, v := range args.call.Args {
			all = append(all, explore.Short(showArg(v)))
		}
	}
	for _, a := range args.given {
		all = append(all, explore.Short(show(a.Value)))
	}
	return strings.Join(all, ", ")
}

// showArg shows one argument of the program. It calls no Valuer: that may do anything, and runs
// when the argument is sent.
func showArg(v any) string {
	if _, ok := v.(driver.Valuer); ok {
		return fmt.Sprintf("%T", v)
	}
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer {
		if p.IsNil() {
			return "null"
		}
		return showArg(p.Elem().Interface())
	}
	return show(v)
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

// explorer returns the explorer of the calling goroutine's loop; nil if there is none.
func explorer() explore.Explorer { return explore.At(repaint.CurrentLoop) }
