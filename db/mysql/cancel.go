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

// When a context ends, the driver closes the connection and leaves the server running the
// statement. So this package never shows contexts to the driver. Instead it sends KILL QUERY
// through a connection made for that. The statement ends with an error; its connection, and a
// transaction on it, stay as good as before.

// killer stops statements. If the server hasn't stopped one after grace, it closes the statement's
// connection.
type killer struct{ grace time.Duration }

// killAgain is how soon another KILL QUERY follows. The first one has no effect if the server has
// not begun the statement.
const killAgain = 50 * time.Millisecond

// Interrupt stops the running statement of c, and returns when until has ended.
func (k killer) Interrupt(until context.Context, c *sqlbackend.Conn) {
	s := c.Own.(*server)
	if s.conn == nil {
		return
	}
	patience, cancel := context.WithTimeout(until, k.grace)
	defer cancel()
	if k.kill(patience, s) != nil {
		// The server can't be told, so after grace the connection is closed.
		if until.Err() == nil {
			<-patience.Done()
		}
	}
	if until.Err() == nil {
		_ = s.conn.wire.Close() // this makes the call fail, so Close's error doesn't matter
		<-until.Done()
	}
}

// Abort closes the network connection, so that the running call fails.
func (killer) Abort(c *sqlbackend.Conn) {
	if s, ok := c.Own.(*server); ok && s.conn != nil {
		_ = s.conn.wire.Close()
	}
}

// kill sends KILL QUERY again and again until ctx ends. It returns an error if it can't.
func (k killer) kill(ctx context.Context, s *server) error {
	other, err := s.conn.host.Connect(ctx)
	if err != nil {
		return err
	}
	defer other.Close()
	do := other.(driver.ExecerContext)
	for delay := killAgain; ; delay *= 2 {
		// kill waits for each KILL QUERY that it sent: a late one might hit a later statement.
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

// Interrupted reports whether an error is the effect of Interrupt.
func (killer) Interrupted(err error) bool {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		// 1105 is the general error number; go-mysql-server uses it when its context ends.
		return e.Number == 1317 || e.Number == 1927 || e.Number == 3024 || e.Number == 1105 && strings.Contains(e.Message, "context canceled")
	}
	return broken(err)
}

// Recover runs statements until no late interrupt hits one.
func (sqlDriver) Recover(ctx context.Context, c *sqlbackend.Conn) error {
	var err error
	for range 3 {
		if err = c.Exec(ctx, "do 0"); err == nil {
			return nil
		}
	}
	return err
}
