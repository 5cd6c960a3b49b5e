package compat

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	sq "github.com/Masterminds/squirrel"
)

type squirrelStore struct{ db *sql.DB }

// Squirrel returns a store that uses database/sql, with texts that squirrel builds.
func Squirrel(db *sql.DB) (Store, error) { return squirrelStore{db}, nil }

var builder = sq.StatementBuilder.PlaceholderFormat(sq.Dollar)

func (s squirrelStore) Migrate(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, schema)
	return err
}

func (s squirrelStore) Register(ctx context.Context, name string, tags []string, titles ...string) (id int64, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	text, err := json.Marshal(tags)
	if err != nil {
		return 0, err
	}
	err = builder.Insert("authors").Columns("name", "tags").Values(name, text).Suffix("returning id").
		RunWith(tx).QueryRowContext(ctx).Scan(&id)
	if err != nil {
		return 0, err
	}
	posts, err := tx.PrepareContext(ctx, "insert into posts (author_id, title) values ($1, $2)")
	if err != nil {
		return 0, err
	}
	defer posts.Close()
	for _, t := range titles {
		if _, err := posts.ExecContext(ctx, id, t); err != nil {
			return 0, err
		}
	}
	return id, tx.Commit()
}

func (s squirrelStore) Author(ctx context.Context, id int64) (a Author, err error) {
	var tags []byte
	err = builder.Select("name", "tags").From("authors").Where(sq.Eq{"id": id}).RunWith(s.db).QueryRowContext(ctx).Scan(&a.Name, &tags)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(tags, &a.Tags); err != nil {
		return a, err
	}
	rows, err := builder.Select("title").From("posts").Where(sq.Eq{"author_id": id}).OrderBy("title").RunWith(s.db).QueryContext(ctx)
	if err != nil {
		return a, err
	}
	defer rows.Close()
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			return a, err
		}
		a.Titles = append(a.Titles, t)
	}
	return a, rows.Err()
}

func (s squirrelStore) Rename(ctx context.Context, id int64, name string) error {
	_, err := builder.Update("authors").Set("name", name).Where(sq.Eq{"id": id}).RunWith(s.db).ExecContext(ctx)
	return err
}

func (s squirrelStore) Tagged(ctx context.Context, tag string) (n int, err error) {
	err = builder.Select("count(*)").From("authors").Where("tags ?? ?", tag).RunWith(s.db).QueryRowContext(ctx).Scan(&n)
	return n, err
}

func (s squirrelStore) Delete(ctx context.Context, id int64) error {
	_, err := builder.Delete("authors").Where(sq.Eq{"id": id}).RunWith(s.db).ExecContext(ctx)
	return err
}
