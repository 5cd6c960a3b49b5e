package explore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Patience is how long a connection to SQLite waits for the locks of others. While a schedule is
// explored, the schedule waits instead. The driver would wait in real time, and no task would go on
// meanwhile.
type Patience struct {
	taken bool          // the connection's own patience is 0
	time  time.Duration // what it was
}

// Take makes the schedule wait, or lets the connection wait again. ask sends statements on the
// connection.
func (p *Patience) Take(ctx context.Context, explores bool, ask Query) error {
	if explores == p.taken {
		return nil
	}
	if !explores {
		_, err := ask(ctx, fmt.Sprintf("pragma busy_timeout=%d", p.time.Milliseconds()))
		p.taken = err != nil
		return err
	}
	rows, err := ask(ctx, "pragma busy_timeout")
	if err != nil {
		return err
	}
	var ms int64
	if _, err := fmt.Sscan(rows[0][0], &ms); err != nil {
		return err
	}
	if _, err := ask(ctx, "pragma busy_timeout=0"); err != nil {
		return err
	}
	p.time, p.taken = time.Duration(ms)*time.Millisecond, true
	return nil
}

// Has sets the fields of the statement that the schedule needs to wait.
func (p *Patience) Has(s *Statement) { s.Busy, s.Patience = isBusy, p.time }

// ChangesRows reports whether SQLite counts the rows that a statement changes. For other statements
// SQLite returns the count of the connection's previous one.
func ChangesRows(text string) bool {
	words := strings.Fields(text)
	if len(words) == 0 {
		return false
	}
	switch strings.ToLower(words[0]) {
	case "insert", "update", "delete", "replace", "with":
		return true
	}
	return false
}

// isBusy reports whether SQLite says that another connection has a lock that it may give up. It
// returns false if the transaction must begin anew (SQLITE_BUSY_SNAPSHOT).
func isBusy(err error) bool {
	const busy, recovery = 5, 5 | 1<<8
	var code interface{ Code() int }
	if errors.As(err, &code) {
		return code.Code() == busy || code.Code() == recovery
	}
	text := err.Error()
	return strings.Contains(text, "database is locked") && !strings.Contains(text, "517") && !strings.Contains(text, "SNAPSHOT")
}
