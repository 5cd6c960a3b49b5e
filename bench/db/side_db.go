package main

import (
	"context"

	"github.com/seed1239206e/repaint/db"
)

// dbSide is package db. It is the same for all databases.
type dbSide struct{ *db.Engine }

func (s dbSide) point(ctx context.Context, i int) error {
	var w world
	err := s.QueryRow(ctx, "select id, number, name from world where id = :id", db.Named("id", id(i))).Scan(&w.ID, &w.Number, &w.Name)
	if err != nil {
		return err
	}
	return checkPoint(w, i)
}

func (s dbSide) insertAndSelect(ctx context.Context, i int) error {
	id, err := db.Scalar[int64](ctx, s.Engine, "insert into written (number) values (:number) returning id", db.Named("number", i))
	if err != nil {
		return err
	}
	number, err := db.Scalar[int64](ctx, s.Engine, "select number from written where id = :id", db.Named("id", id))
	if err != nil {
		return err
	}
	return checkBack(number, i)
}

func (s dbSide) transaction(ctx context.Context, i int) error {
	return s.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		number, err := db.Scalar[int64](ctx, tx, "select number from world where id = :id", db.Named("id", id(i)))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "update world set number = number + 1 where id = :id", db.Named("id", id(i))); err != nil {
			return err
		}
		_, err = db.Scalar[int64](ctx, tx, "insert into written (number) values (:number) returning id", db.Named("number", number))
		return err
	})
}

func (s dbSide) hundred(ctx context.Context, _ int) error {
	rows, err := db.All[world](ctx, s.Engine, "select id, number, name from world where id <= :id", db.Named("id", 100))
	if err != nil {
		return err
	}
	return checkHundred(rows, world.name)
}

func (s dbSide) executeMany(ctx context.Context, _ int) error {
	result, err := db.ExecMany(ctx, s.Engine, "insert into bulk (number, name) values (:number, :name)", bulkRows)
	if err != nil {
		return err
	}
	return checkMany(result.RowsAffected())
}

func (s dbSide) exec(ctx context.Context, text string) error {
	_, err := s.Exec(ctx, text)
	return err
}

func (s dbSide) close(ctx context.Context) error { return s.Close(ctx) }
