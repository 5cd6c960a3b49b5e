package compat

import (
	"context"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

type sqlxStore struct{ db *sqlx.DB }

// Sqlx returns a store that uses sqlx.
func Sqlx(d Doors) (Store, error) { return sqlxStore{sqlx.NewDb(d.SQL, "postgres")}, nil }

func (s sqlxStore) Migrate(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, Schema)
	return err
}

func (s sqlxStore) Register(ctx context.Context, a Author) (id int64, err error) {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	err = tx.GetContext(ctx, &id, "insert into authors (name, tags, scores) values ($1, $2, $3) returning id",
		a.Name, asJSON(a.Tags), pq.Array(a.Scores))
	if err != nil {
		return 0, err
	}
	type row struct {
		AuthorID int64 `db:"author_id"`
		Post
	}
	rows := make([]row, len(a.Posts))
	for i, p := range a.Posts {
		rows[i] = row{id, Post{p.Title, slug(p.Title)}}
	}
	if _, err := tx.NamedExecContext(ctx, "insert into posts (author_id, title, slug) values (:author_id, :title, :slug)", rows); err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

func (s sqlxStore) Author(ctx context.Context, id int64) (Author, error) {
	var row struct {
		Name   string
		Tags   jsonOf
		Scores pq.Int64Array
	}
	if err := s.db.GetContext(ctx, &row, "select name, tags, scores from authors where id = $1", id); err != nil {
		return Author{}, err
	}
	a := Author{Name: row.Name, Tags: row.Tags, Scores: row.Scores}
	query, args, err := sqlx.In("select title, slug from posts where author_id in (?) order by title", []int64{id})
	if err != nil {
		return Author{}, err
	}
	err = s.db.SelectContext(ctx, &a.Posts, s.db.Rebind(query), args...)
	return a, err
}

func (s sqlxStore) AddPost(ctx context.Context, author int64, title string) error {
	_, err := s.db.ExecContext(ctx, "insert into posts (author_id, title, slug) values ($1, $2, $3)", author, title, slug(title))
	return err
}

func (s sqlxStore) Rename(ctx context.Context, id int64, name string) error {
	_, err := s.db.NamedExecContext(ctx, "update authors set name = :name where id = :id", map[string]any{"id": id, "name": name})
	return err
}

func (s sqlxStore) Tagged(ctx context.Context, tag string) (n int, err error) {
	err = s.db.GetContext(ctx, &n, "select count(*) from authors where tags ? $1", tag)
	return n, err
}

func (s sqlxStore) Delete(ctx context.Context, id int64) error {
	_, err := s.db.ExecContext(ctx, "delete from authors where id = $1", id)
	return err
}
