package compat

import (
	"context"
	"database/sql"
	"errors"

	sq "github.com/Masterminds/squirrel"
	"github.com/jackc/pgx/v5/pgtype"
)

type squirrelStore struct{ db *sql.DB }

// Squirrel returns a store that uses database/sql, with texts that squirrel builds.
func Squirrel(d Doors) (Store, error) { return squirrelStore{d.SQL}, nil }

var builder = sq.StatementBuilder.PlaceholderFormat(sq.Dollar)

func (s squirrelStore) Migrate(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, Schema)
	return err
}

func (s squirrelStore) Register(ctx context.Context, a Author) (id int64, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	// The slices are passed unchanged: the driver encodes them.
	err = builder.Insert("authors").Columns("name", "tags", "scores").Values(a.Name, a.Tags, a.Scores).Suffix("returning id").
		RunWith(tx).QueryRowContext(ctx).Scan(&id)
	if err != nil {
		return 0, err
	}
	posts, err := tx.PrepareContext(ctx, "insert into posts (author_id, title, slug) values ($1, $2, $3)")
	if err != nil {
		return 0, err
	}
	defer posts.Close()
	for _, p := range a.Posts {
		if _, err := posts.ExecContext(ctx, id, p.Title, slug(p.Title)); err != nil {
			return 0, err
		}
	}
	return id, tx.Commit()
}

func (s squirrelStore) Author(ctx context.Context, id int64) (a Author, err error) {
	types := pgtype.NewMap()
	err = builder.Select("name", "tags", "scores").From("authors").Where(sq.Eq{"id": id}).RunWith(s.db).QueryRowContext(ctx).
		Scan(&a.Name, (*jsonOf)(&a.Tags), types.SQLScanner(&a.Scores))
	if err != nil {
		return a, err
	}
	rows, err := builder.Select("title", "slug").From("posts").Where(sq.Eq{"author_id": []int64{id}}).OrderBy("title").RunWith(s.db).QueryContext(ctx)
	if err != nil {
		return a, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Post
		if err := rows.Scan(&p.Title, &p.Slug); err != nil {
			return a, err
		}
		a.Posts = append(a.Posts, p)
	}
	return a, rows.Err()
}

func (s squirrelStore) AddPost(ctx context.Context, author int64, title string) error {
	_, err := builder.Insert("posts").SetMap(map[string]any{"author_id": author, "title": title, "slug": slug(title)}).RunWith(s.db).ExecContext(ctx)
	return err
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
