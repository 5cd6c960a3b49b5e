package compat

import (
	"context"
	"database/sql"

	"github.com/georgysavva/scany/v2/pgxscan"
	"github.com/georgysavva/scany/v2/sqlscan"
	"github.com/jackc/pgx/v5"
	"github.com/lib/pq"
)

type pgxscanStore struct{ d Doors }

// Pgxscan returns a store that uses pgx's interfaces and scany's pgxscan.
func Pgxscan(d Doors) (Store, error) { return pgxscanStore{d}, nil }

func (s pgxscanStore) Migrate(ctx context.Context) error {
	_, err := s.d.Pgx.Exec(ctx, Schema)
	return err
}

func (s pgxscanStore) Register(ctx context.Context, a Author) (id int64, err error) {
	err = pgx.BeginFunc(ctx, s.d.Pgx, func(tx pgx.Tx) error {
		err := pgxscan.Get(ctx, tx, &id, "insert into authors (name, tags, scores) values ($1, $2, $3) returning id", a.Name, a.Tags, a.Scores)
		if err != nil {
			return err
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"posts"}, []string{"author_id", "title", "slug"},
			pgx.CopyFromSlice(len(a.Posts), func(i int) ([]any, error) { return []any{id, a.Posts[i].Title, slug(a.Posts[i].Title)}, nil }))
		return err
	})
	return id, err
}

func (s pgxscanStore) Author(ctx context.Context, id int64) (a Author, err error) {
	if err = pgxscan.Get(ctx, s.d.Pgx, &a, "select name, tags, scores from authors where id = $1", id); err != nil {
		return a, err
	}
	err = pgxscan.Select(ctx, s.d.Pgx, &a.Posts, "select title, slug from posts where author_id = any($1) order by title", []int64{id})
	return a, err
}

func (s pgxscanStore) AddPost(ctx context.Context, author int64, title string) error {
	_, err := s.d.Pgx.Exec(ctx, "insert into posts (author_id, title, slug) values ($1, $2, $3)", author, title, slug(title))
	return err
}

func (s pgxscanStore) Rename(ctx context.Context, id int64, name string) error {
	_, err := s.d.Pgx.Exec(ctx, "update authors set name = @name where id = @id", pgx.NamedArgs{"id": id, "name": name})
	return err
}

func (s pgxscanStore) Tagged(ctx context.Context, tag string) (n int, err error) {
	err = pgxscan.Get(ctx, s.d.Pgx, &n, "select count(*) from authors where tags ? $1", tag)
	return n, err
}

func (s pgxscanStore) Delete(ctx context.Context, id int64) error {
	_, err := s.d.Pgx.Exec(ctx, "delete from authors where id = $1", id)
	return err
}

type sqlscanStore struct{ db *sql.DB }

// Sqlscan returns a store that uses database/sql and scany's sqlscan.
func Sqlscan(d Doors) (Store, error) { return sqlscanStore{d.SQL}, nil }

func (s sqlscanStore) Migrate(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, Schema)
	return err
}

func (s sqlscanStore) Register(ctx context.Context, a Author) (id int64, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	err = sqlscan.Get(ctx, tx, &id, "insert into authors (name, tags, scores) values ($1, $2, $3) returning id",
		a.Name, asJSON(a.Tags), pq.Int64Array(a.Scores))
	if err != nil {
		return 0, err
	}
	for _, p := range a.Posts {
		_, err := tx.ExecContext(ctx, "insert into posts (author_id, title, slug) values ($1, $2, $3)", id, p.Title, slug(p.Title))
		if err != nil {
			return 0, err
		}
	}
	return id, tx.Commit()
}

func (s sqlscanStore) Author(ctx context.Context, id int64) (Author, error) {
	var row struct {
		Name   string
		Tags   jsonOf
		Scores pq.Int64Array
	}
	if err := sqlscan.Get(ctx, s.db, &row, "select name, tags, scores from authors where id = $1", id); err != nil {
		return Author{}, err
	}
	a := Author{Name: row.Name, Tags: row.Tags, Scores: row.Scores}
	err := sqlscan.Select(ctx, s.db, &a.Posts, "select title, slug from posts where author_id = any($1) order by title", pq.Array([]int64{id}))
	return a, err
}

func (s sqlscanStore) AddPost(ctx context.Context, author int64, title string) error {
	_, err := s.db.ExecContext(ctx, "insert into posts (author_id, title, slug) values ($1, $2, $3)", author, title, slug(title))
	return err
}

func (s sqlscanStore) Rename(ctx context.Context, id int64, name string) error {
	_, err := s.db.ExecContext(ctx, "update authors set name = $2 where id = $1", id, name)
	return err
}

func (s sqlscanStore) Tagged(ctx context.Context, tag string) (n int, err error) {
	err = sqlscan.Get(ctx, s.db, &n, "select count(*) from authors where tags ? $1", tag)
	return n, err
}

func (s sqlscanStore) Delete(ctx context.Context, id int64) error {
	_, err := s.db.ExecContext(ctx, "delete from authors where id = $1", id)
	return err
}
