package main

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint/pg"
)

// pgSide is the driver by itself. The difference between dbSide and pgSide is what db costs.
type pgSide struct{ *pg.DB }

func (s pgSide) point(ctx context.Context, i int) error {
	var w world
	if err := s.QueryRow(ctx, dollarTexts.point, id(i)).Scan(&w.ID, &w.Number, &w.Name); err != nil {
		return err
	}
	return checkPoint(w, i)
}

func (s pgSide) insertAndSelect(ctx context.Context, i int) error {
	var id, number int64
	if err := s.QueryRow(ctx, dollarTexts.insert, i).Scan(&id); err != nil {
		return err
	}
	if err := s.QueryRow(ctx, dollarTexts.back, id).Scan(&number); err != nil {
		return err
	}
	return checkBack(number, i)
}

func (s pgSide) transaction(ctx context.Context, i int) error {
	return pgx.BeginFunc(ctx, s, func(tx pgx.Tx) error {
		var number, inserted int64
		if err := tx.QueryRow(ctx, dollarTexts.number, id(i)).Scan(&number); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, dollarTexts.update, id(i)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, dollarTexts.insert, number).Scan(&inserted)
	})
}

func (s pgSide) hundred(ctx context.Context, _ int) error {
	found, err := s.Query(ctx, dollarTexts.hundred, 100)
	if err != nil {
		return err
	}
	rows, err := pgx.CollectRows(found, pgx.RowToStructByName[world])
	if err != nil {
		return err
	}
	return checkHundred(rows, world.name)
}

func (s pgSide) executeMany(ctx context.Context, _ int) error {
	var affected int64
	err := pgx.BeginFunc(ctx, s, func(tx pgx.Tx) error {
		for n := range len(bulkRows) / perText {
			tag, err := tx.Exec(ctx, dollarTexts.many, manyArgs(n)...)
			if err != nil {
				return err
			}
			affected += tag.RowsAffected()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return checkMany(affected)
}

func (s pgSide) exec(ctx context.Context, text string) error {
	_, err := s.Exec(ctx, text)
	return err
}

func (s pgSide) close(ctx context.Context) error { return s.Close(ctx) }
