package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// batchSize is how many calls a batch has. A caller that makes a batch must have all of them at
// hand, and the batch is one transaction.
const batchSize = 16

// inBatch sends a statement with each of the arguments, and calls read for each result.
func inBatch(ctx context.Context, db database, text string, args func(n int) []any, read func(n int, results pgx.BatchResults) error) (err error) {
	var b pgx.Batch
	for n := range batchSize {
		b.Queue(text, args(n)...)
	}
	results := db.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, results.Close()) }()
	for n := range batchSize {
		if err := read(n, results); err != nil {
			return err
		}
	}
	return nil
}

func pointBatch(ctx context.Context, db database, i int) error {
	i *= batchSize
	return inBatch(ctx, db, pointText, func(n int) []any { return []any{id(i + n)} },
		func(n int, r pgx.BatchResults) error { return scanPoint(r.QueryRow(), id(i+n)) })
}

// updateBatch updates in the order of the ids, because batches are transactions, which would
// deadlock otherwise.
func updateBatch(ctx context.Context, db database, i int) error {
	first := i * batchSize % 10_000
	return inBatch(ctx, db, updateText, func(n int) []any { return []any{1 + (first+n)%10_000, i} },
		func(_ int, r pgx.BatchResults) error { return one(r.Exec()) })
}

func insertAndSelectBatch(ctx context.Context, db database, i int) error {
	var ids [batchSize]int64
	err := inBatch(ctx, db, insertText, func(n int) []any { return []any{i + n} },
		func(n int, r pgx.BatchResults) error { return r.QueryRow().Scan(&ids[n]) })
	if err != nil {
		return err
	}
	return inBatch(ctx, db, backText, func(n int) []any { return []any{ids[n]} },
		func(n int, r pgx.BatchResults) error { return scanBack(r.QueryRow(), i+n) })
}
