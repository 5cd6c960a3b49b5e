package pg

import (
	"context"
	"errors"
	"reflect"

	"github.com/jackc/pgx/v5"
)

// txOptions is where a pgx.Batch keeps what was given to BeginTx, a *pgx.TxOptions. Index is nil if
// this pgx keeps it elsewhere.
var txOptions = func() reflect.StructField {
	if f, ok := reflect.TypeFor[pgx.Batch]().FieldByName("txOptions"); ok && f.Type == reflect.TypeFor[*pgx.TxOptions]() {
		return f
	}
	return reflect.StructField{}
}()

// beginsTx reports whether [pgx.Batch.BeginTx] was called: then the batch's first statement begins
// a transaction, which goes on after the batch.
func beginsTx(b *pgx.Batch) bool {
	if txOptions.Index != nil {
		return !reflect.ValueOf(b).Elem().FieldByIndex(txOptions.Index).IsNil()
	}
	return pgx.FailedBatchResults(b, errNoMore).Tx() != nil // as pgx itself says it, at the cost of some memory
}

// optionsOf returns the options of that transaction. Its BEGIN is in the batch. pgx doesn't export
// its commit statement.
func optionsOf(b *pgx.Batch) pgx.TxOptions {
	o := pgx.TxOptions{BeginQuery: b.QueuedQueries[0].SQL}
	if txOptions.Index != nil {
		o.CommitQuery = reflect.ValueOf(b).Elem().FieldByIndex(txOptions.Index).Elem().FieldByName("CommitQuery").String()
	}
	return o
}

var errBatchInTx = errors.New("pg: Batch.BeginTx in a transaction: make a savepoint with Begin, and send the batch without it")

// beginWith sends a batch whose first statement begins the transaction, which becomes the results'
// Tx. If that statement fails, the transaction is over.
func (tx *Tx) beginWith(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	returned := false
	defer func() {
		if !returned { // by a panic, or its greenlet is being unwound: no caller gets the transaction
			ended, end := context.WithCancel(context.WithoutCancel(ctx))
			end()
			_ = tx.Rollback(ended) // which doesn't wait
		}
	}()
	br := tx.s.executor().batch(ctx, b, func(ctx context.Context, q *query, run func() error) error {
		return tx.within(ctx, q, func() error {
			q.begin = "" // it is the batch's first statement
			return run()
		})
	})
	returned = true
	br.tx = tx
	if br.err != nil && tx.isPending() {
		_ = tx.Rollback(ctx) // of which the server hears nothing
	}
	return br
}

func (tx *Tx) isPending() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.state == txPending
}
