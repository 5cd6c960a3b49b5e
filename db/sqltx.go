package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"

	"github.com/seed1239206e/repaint/db/internal/statements"
)

// Begin implements driver.Conn. database/sql calls BeginTx instead.
func (c *VirtualConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements driver.ConnBeginTx.
func (c *VirtualConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	c.used++
	if c.conn == nil && c.e.door.settings() != nil {
		if _, err := c.Conn(ctx); err != nil {
			return nil, err
		}
	}
	begin := c.e.BeginTx
	if c.conn != nil {
		begin = c.conn.BeginTx
	}
	tx, err := begin(ctx, setting(func(o *TxOptions) {
		o.ReadOnly = o.ReadOnly || opts.ReadOnly
		if level := sql.IsolationLevel(opts.Isolation); level != sql.LevelDefault {
			o.Isolation = level
		}
	}))
	if err != nil {
		return nil, c.beside(err)
	}
	c.tx, c.txCtx = tx, ctx
	return sqlTx{c}, nil
}

// sqlTx is the open transaction of a VirtualConn.
type sqlTx struct{ c *VirtualConn }

// Commit is [Tx.Commit] with the context of BeginTx.
func (t sqlTx) Commit() error {
	tx, ctx := t.c.leaveTx()
	if tx == nil {
		return sql.ErrTxDone
	}
	return t.c.asDriver(tx.commit(ctx, true))
}

// Rollback ignores the context of BeginTx: database/sql also calls it when that has ended.
func (t sqlTx) Rollback() error {
	tx, ctx := t.c.leaveTx()
	if tx == nil {
		return sql.ErrTxDone
	}
	return tx.Rollback(ctx)
}

func (c *VirtualConn) leaveTx() (*Tx, context.Context) {
	tx, ctx := c.tx, c.txCtx
	c.tx, c.txCtx, c.marks = nil, nil, nil
	return tx, ctx
}

// sqlMark is a savepoint that was set by a text.
type sqlMark struct {
	name string
	tx   *Tx
}

// mark executes a text about a savepoint, which has another name in the database.
func (c *VirtualConn) mark(ctx context.Context, s statements.Savepoint) error {
	if c.tx == nil {
		err := misuse(s.Op, "there is no transaction")
		err.Hint = "begin one with BeginTx"
		return c.e.fail(ctx, s.Op, nil, err)
	}
	if s.Op == statements.OpSavepoint {
		return c.pushMark(ctx, s.Name)
	}
	at := -1
	for i, m := range slices.Backward(c.marks) {
		if m.name == s.Name {
			at = i
			break
		}
	}
	if at < 0 {
		return c.e.fail(ctx, s.Op, nil, fail(s.Op, ErrUndefined, "there is no savepoint %q", s.Name))
	}
	tx := c.marks[at].tx
	c.marks = c.marks[:at]
	if s.Op == statements.OpRelease {
		return tx.commit(ctx, true)
	}
	if err := tx.Rollback(ctx); err != nil {
		return err
	}
	return c.pushMark(ctx, s.Name) // ROLLBACK TO keeps the savepoint
}

func (c *VirtualConn) pushMark(ctx context.Context, name string) error {
	tx, err := c.Tx().BeginTx(ctx)
	if err == nil {
		c.marks = append(c.marks, sqlMark{name, tx})
	}
	return err
}
