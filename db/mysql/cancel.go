package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	mysql "github.com/go-sql-driver/mysql"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
)

// The driver, when a context ends, closes the connection and leaves the server
// running the statement. Here it never hears of contexts. Instead KILL QUERY is
// sent through a connection made for it, and the statement ends with an error
// that leaves its connection, and a transaction on it, as good as before.

// killer stops statements. After grace it closes their connection.
type killer struct{ grace time.Duration }

// killAgain is how soon another KILL QUERY follows: the first one has no effect if
// the server has not begun with the statement.
const killAgain = 50 * time.Millisecond

// Interrupt stops what c is doing, and returns when until has ended.
func (k killer) Interrupt(until context.Context, c *sqlbackend.Conn) {
	s := c.Own.(*server)
	if s.conn == nil {
		return
	}
	patience, cancel := context.WithTimeout(until, k.grace)
	defer cancel()
	if k.kill(patience, s) != nil {
		// It can't be said to the server, so it must be shown.
		if until.Err() == nil {
			<-patience.Done()
		}
	}
	if until.Err() == nil {
		_ = s.conn.wire.Close() // the call fails now, which is all that is wanted
		<-until.Done()
	}
}

// Abort closes the network connection, so that the running call fails.
func (killer) Abort(c *sqlbackend.Conn) {
	if s, ok := c.Own.(*server); ok && s.conn != nil {
		_ = s.conn.wire.Close()
	}
}

// kill sends KILL QUERY again and again until ctx ends. It returns an error if it
// can't.
func (k killer) kill(ctx context.Context, s *server) error {
	other, err := s.conn.host.Connect(ctx)
	if err != nil {
		return err
	}
	defer other.Close()
	do := other.(driver.ExecerContext)
	for delay := killAgain; ; delay *= 2 {
		// Once sent it has to be waited for, or it might hit a later statement.
		err := func() error {
			sure, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.grace)
			defer cancel()
			_, err := do.ExecContext(sure, "kill query "+s.id, nil)
			return err
		}()
		if err != nil {
			return err
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Interrupted reports whether an error is what Interrupt causes.
func (killer) Interrupted(err error) bool {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		// 1105 is an error of no kind, which go-mysql-server makes of its context's end.
		return e.Number == 1317 || e.Number == 1927 || e.Number == 3024 || e.Number == 1105 && strings.Contains(e.Message, "context canceled")
	}
	return broken(err)
}

// Recover runs statements until one isn't hit by an interrupt that came late.
func (sqlDriver) Recover(ctx context.Context, c *sqlbackend.Conn) error {
	var err error
	for range 3 {
		if err = c.Exec(ctx, "do 0"); err == nil {
			return nil
		}
	}
	return err
}
