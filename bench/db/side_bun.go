package main

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// bunSide is bun with its models. It writes arguments into the text of a statement, so nothing is
// prepared.
type bunSide struct{ *bun.DB }

func newBunSide(pool *sql.DB, dialect schema.Dialect) bunSide {
	return bunSide{bun.NewDB(pool, dialect)}
}

type bunWorld struct {
	bun.BaseModel `bun:"table:world"`

	ID     int64 `bun:"id,pk"`
	Number int64
	Name   string
}

type bunWritten struct {
	bun.BaseModel `bun:"table:written"`

	ID     int64 `bun:"id,pk,autoincrement"`
	Number int64
}

type bunBulk struct {
	bun.BaseModel `bun:"table:bulk"`

	ID     int64 `bun:"id,pk,autoincrement"`
	Number int64
	Name   string
}

func (s bunSide) point(ctx context.Context, i int) error {
	var w bunWorld
	if err := s.NewSelect().Model(&w).Where("id = ?", id(i)).Scan(ctx); err != nil {
		return err
	}
	return checkPoint(world{w.ID, w.Number, w.Name}, i)
}

func (s bunSide) insertAndSelect(ctx context.Context, i int) error {
	in, out := bunWritten{Number: int64(i)}, bunWritten{}
	if _, err := s.NewInsert().Model(&in).Exec(ctx); err != nil { // it reads the key
		return err
	}
	if err := s.NewSelect().Model(&out).Where("id = ?", in.ID).Scan(ctx); err != nil {
		return err
	}
	return checkBack(out.Number, i)
}

func (s bunSide) transaction(ctx context.Context, i int) error {
	return s.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		w := bunWorld{ID: int64(id(i))}
		if err := tx.NewSelect().Model(&w).Column("number").WherePK().Scan(ctx); err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Model(&w).Set("number = number + 1").WherePK().Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&bunWritten{Number: w.Number}).Exec(ctx)
		return err
	})
}

func (s bunSide) hundred(ctx context.Context, _ int) error {
	var rows []bunWorld
	if err := s.NewSelect().Model(&rows).Where("id <= ?", 100).Scan(ctx); err != nil {
		return err
	}
	return checkHundred(rows, func(w bunWorld) string { return w.Name })
}

func (s bunSide) executeMany(ctx context.Context, _ int) error {
	var affected int64
	err := s.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		for n := range len(bulkRows) / perText {
			rows := make([]bunBulk, perText)
			for i, row := range bulkRows[n*perText : (n+1)*perText] {
				rows[i] = bunBulk{Number: row.Number, Name: row.Name}
			}
			result, err := tx.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
			if err != nil {
				return err
			}
			inserted, err := result.RowsAffected()
			if err != nil {
				return err
			}
			affected += inserted
		}
		return nil
	})
	if err != nil {
		return err
	}
	return checkMany(affected)
}

func (s bunSide) exec(ctx context.Context, text string) error {
	_, err := s.ExecContext(ctx, text)
	return err
}

func (s bunSide) close(context.Context) error { return s.Close() }
