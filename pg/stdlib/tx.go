package stdlib

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// txOf is the transaction that is open on a connection.
type txOf struct{ c *Conn }

// Commit waits no longer than the context with which the transaction was begun allows.
func (t txOf) Commit() error {
	c := t.c
	if c.tx == nil {
		return pgx.ErrTxClosed
	}
	err := c.tx.Commit(c.txCtx)
	c.tx, c.txCtx = nil, nil
	return asDriver(err)
}

func (t txOf) Rollback() error {
	if t.c.tx == nil {
		return pgx.ErrTxClosed
	}
	return t.c.rollback()
}

// rollback doesn't use the end of the transaction's context: database/sql may roll back because it
// has ended.
func (c *Conn) rollback() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.txCtx), closeLimit)
	defer cancel()
	err := c.tx.Rollback(ctx)
	c.tx, c.txCtx = nil, nil
	if errors.Is(err, pgx.ErrTxClosed) {
		return nil // by its own COMMIT or ROLLBACK
	}
	return err
}
