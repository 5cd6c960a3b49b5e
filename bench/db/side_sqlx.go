package main

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"
)

// sqlxSide is sqlx: structs in and out.
type sqlxSide struct {
	*sqlx.DB
	texts
}

func newSqlxSide(pool *sql.DB, driver string, t texts) sqlxSide {
	return sqlxSide{sqlx.NewDb(pool, driver), t}
}

func (s sqlxSide) point(ctx context.Context, i int) error {
	var w world
	if err := s.GetContext(ctx, &w, s.texts.point, id(i)); err != nil {
		return err
	}
	return checkPoint(w, i)
}

func (s sqlxSide) insertAndSelect(ctx context.Context, i int) error {
	var id, number int64
	if err := s.GetContext(ctx, &id, s.texts.insert, i); err != nil {
		return err
	}
	if err := s.GetContext(ctx, &number, s.texts.back, id); err != nil {
		return err
	}
	return checkBack(number, i)
}

func (s sqlxSide) begin(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	tx, err := s.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s sqlxSide) transaction(ctx context.Context, i int) error {
	return s.begin(ctx, func(tx *sqlx.Tx) error {
		var number, inserted int64
		if err := tx.GetContext(ctx, &number, s.texts.number, id(i)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.texts.update, id(i)); err != nil {
			return err
		}
		return tx.GetContext(ctx, &inserted, s.texts.insert, number)
	})
}

func (s sqlxSide) hundred(ctx context.Context, _ int) error {
	var rows []world
	if err := s.SelectContext(ctx, &rows, s.texts.hundred, 100); err != nil {
		return err
	}
	return checkHundred(rows, world.name)
}

func (s sqlxSide) executeMany(ctx context.Context, _ int) error {
	var affected int64
	err := s.begin(ctx, func(tx *sqlx.Tx) error {
		for n := range len(bulkRows) / perText {
			result, err := tx.NamedExecContext(ctx, "insert into bulk (number, name) values (:number, :name)", bulkRows[n*perText:(n+1)*perText])
			if err != nil {
				return err
			}
			rows, err := result.RowsAffected()
			if err != nil {
				return err
			}
			affected += rows
		}
		return nil
	})
	if err != nil {
		return err
	}
	return checkMany(affected)
}

func (s sqlxSide) exec(ctx context.Context, text string) error {
	_, err := s.ExecContext(ctx, text)
	return err
}

func (s sqlxSide) close(context.Context) error { return s.Close() }
