package compat

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/jmoiron/sqlx"
)

// schema is for those that don't make their tables themselves.
const schema = `
create table authors (id bigserial primary key, name text unique not null, tags jsonb not null);
create table posts (id bigserial primary key, author_id bigint not null references authors on delete cascade, title text not null);
create index on posts (author_id)`

type sqlxStore struct{ db *sqlx.DB }

// Sqlx returns a store that uses sqlx.
func Sqlx(db *sql.DB) (Store, error) { return sqlxStore{sqlx.NewDb(db, "postgres")}, nil }

func (s sqlxStore) Migrate(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, schema)
	return err
}

func (s sqlxStore) Register(ctx context.Context, name string, tags []string, titles ...string) (id int64, err error) {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	text, err := json.Marshal(tags)
	if err != nil {
		return 0, err
	}
	if err := tx.GetContext(ctx, &id, "insert into authors (name, tags) values ($1, $2) returning id", name, text); err != nil {
		return 0, err
	}
	type post struct {
		AuthorID int64 `db:"author_id"`
		Title    string
	}
	posts := make([]post, len(titles))
	for i, t := range titles {
		posts[i] = post{id, t}
	}
	if _, err := tx.NamedExecContext(ctx, "insert into posts (author_id, title) values (:author_id, :title)", posts); err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

func (s sqlxStore) Author(ctx context.Context, id int64) (Author, error) {
	var a struct {
		Name string
		Tags []byte
	}
	if err := s.db.GetContext(ctx, &a, "select name, tags from authors where id = $1", id); err != nil {
		return Author{}, err
	}
	found := Author{Name: a.Name}
	if err := json.Unmarshal(a.Tags, &found.Tags); err != nil {
		return Author{}, err
	}
	query, args, err := sqlx.In("select title from posts where author_id in (?) order by title", []int64{id})
	if err != nil {
		return Author{}, err
	}
	err = s.db.SelectContext(ctx, &found.Titles, s.db.Rebind(query), args...)
	return found, err
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
