package main

import (
	"context"
	"database/sql"
	"errors"
)

// sqlSide is database/sql, as most programs use it, or with statements that are prepared once.
type sqlSide struct {
	*sql.DB
	texts
	prepared map[string]*sql.Stmt // by text; statements that aren't here aren't prepared
}

// newSQLSide takes the database over. It must have its tables already if statements are to be
// prepared.
func newSQLSide(ctx context.Context, pool *sql.DB, t texts, prepare bool) (*sqlSide, error) {
	s := &sqlSide{pool, t, nil}
	if !prepare {
		return s, nil
	}
	s.prepared = make(map[string]*sql.Stmt)
	for _, text := range []string{t.point, t.insert, t.back, t.number, t.update, t.hundred, t.many} {
		st, err := pool.PrepareContext(ctx, text)
		if err != nil {
			return nil, errors.Join(err, s.close(ctx))
		}
		s.prepared[text] = st
	}
	return s, nil
}

// begin begins a transaction. In it, the statements that are prepared outside are prepared, too.
func (s *sqlSide) begin(ctx context.Context, fn func(tx sqlTx) error) error {
	tx, err := s.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(sqlTx{tx, s}); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s *sqlSide) row(ctx context.Context, text string, args ...any) *sql.Row {
	if st := s.prepared[text]; st != nil {
		return st.QueryRowContext(ctx, args...)
	}
	return s.QueryRowContext(ctx, text, args...)
}

func (s *sqlSide) query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if st := s.prepared[text]; st != nil {
		return st.QueryContext(ctx, args...)
	}
	return s.QueryContext(ctx, text, args...)
}

type sqlTx struct {
	*sql.Tx
	side *sqlSide
}

func (tx sqlTx) row(ctx context.Context, text string, args ...any) *sql.Row {
	if st := tx.side.prepared[text]; st != nil {
		return tx.StmtContext(ctx, st).QueryRowContext(ctx, args...)
	}
	return tx.QueryRowContext(ctx, text, args...)
}

func (tx sqlTx) exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if st := tx.side.prepared[text]; st != nil {
		return tx.StmtContext(ctx, st).ExecContext(ctx, args...)
	}
	return tx.ExecContext(ctx, text, args...)
}

func (s *sqlSide) point(ctx context.Context, i int) error {
	var w world
	if err := s.row(ctx, s.texts.point, id(i)).Scan(&w.ID, &w.Number, &w.Name); err != nil {
		return err
	}
	return checkPoint(w, i)
}

func (s *sqlSide) insertAndSelect(ctx context.Context, i int) error {
	var id, number int64
	if err := s.row(ctx, s.texts.insert, i).Scan(&id); err != nil {
		return err
	}
	if err := s.row(ctx, s.texts.back, id).Scan(&number); err != nil {
		return err
	}
	return checkBack(number, i)
}

func (s *sqlSide) transaction(ctx context.Context, i int) error {
	return s.begin(ctx, func(tx sqlTx) error {
		var number, inserted int64
		if err := tx.row(ctx, s.texts.number, id(i)).Scan(&number); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, s.texts.update, id(i)); err != nil {
			return err
		}
		return tx.row(ctx, s.texts.insert, number).Scan(&inserted)
	})
}

func (s *sqlSide) hundred(ctx context.Context, _ int) error {
	found, err := s.query(ctx, s.texts.hundred, 100)
	if err != nil {
		return err
	}
	defer found.Close()
	var rows []world
	for found.Next() {
		var w world
		if err := found.Scan(&w.ID, &w.Number, &w.Name); err != nil {
			return err
		}
		rows = append(rows, w)
	}
	if err := found.Err(); err != nil {
		return err
	}
	return checkHundred(rows, world.name)
}

func (s *sqlSide) executeMany(ctx context.Context, _ int) error {
	var affected int64
	err := s.begin(ctx, func(tx sqlTx) error {
		for n := range len(bulkRows) / perText {
			result, err := tx.exec(ctx, s.many, manyArgs(n)...)
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

func (s *sqlSide) exec(ctx context.Context, text string) error {
	_, err := s.ExecContext(ctx, text)
	return err
}

func (s *sqlSide) close(context.Context) error {
	for _, st := range s.prepared {
		_ = st.Close()
	}
	return s.Close()
}
