package db

import (
	"context"
	"slices"

	"github.com/seed1239206e/repaint/db/backend"
)

// sqlSetting is a setting that a statement through the sql.DB itself has changed. Until another
// statement sets it back, every connection that a VirtualConn owns gets it first.
type sqlSetting struct {
	ask  string // the query for its value, which names it
	text string // the statement that changed it
	own  bool   // the value is the one that the Engine's connections have anyway
}

// settings returns the changed settings; nil, as nearly always, if there are none.
func (d *sqlDoor) settings() []sqlSetting {
	if s := d.changed.Load(); s != nil {
		return *s
	}
	return nil
}

// change notes a setting that the sql.DB has changed or set back.
func (d *sqlDoor) change(s sqlSetting) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := slices.DeleteFunc(slices.Clone(d.settings()), func(x sqlSetting) bool { return x.ask == s.ask })
	if !s.own {
		now = append(now, s)
	}
	if len(now) == 0 {
		d.changed.Store(nil)
		return
	}
	d.changed.Store(&now)
}

// asks returns the query for the value of the setting that a text changes; "" if it changes none.
func (c *VirtualConn) asks(text string) string {
	if d, knows := c.e.dialect.(backend.SettingKnower); knows {
		return d.Setting(text)
	}
	return ""
}

// change executes a statement that changes a setting, on a connection without the changes so far.
// database/sql doesn't tell a sql.Conn from the sql.DB. So the statement counts as one through the
// sql.DB if it stays the only one until database/sql has the VirtualConn back; see IsValid.
func (c *VirtualConn) change(ctx context.Context, ask, op string, call *call) error {
	conn, err := c.e.Connect(ctx)
	if err != nil {
		return err
	}
	c.conn = conn
	before, err := Scalar[any](ctx, conn, ask)
	if err != nil {
		return err
	}
	if err := conn.do(ctx, nil, op, call); err != nil {
		return err
	}
	after, err := Scalar[any](ctx, conn, ask)
	c.alone = sqlSetting{ask, call.st.Text, before == after}
	return err
}
