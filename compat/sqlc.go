package compat

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint/compat/internal/sqlc/pgxstore"
	"github.com/seed1239206e/repaint/compat/internal/sqlc/sqlstore"
)

type sqlcPgxStore struct {
	d Doors
	q *pgxstore.Queries
}

// SqlcPgx returns a store that uses the code that sqlc has generated for pgx: with a batch in Register.
func SqlcPgx(d Doors) (Store, error) { return sqlcPgxStore{d, pgxstore.New(d.Pgx)}, nil }

func (s sqlcPgxStore) Migrate(ctx context.Context) error {
	_, err := s.d.Pgx.Exec(ctx, Schema)
	return err
}

func (s sqlcPgxStore) Register(ctx context.Context, a Author) (id int64, err error) {
	tags, err := json.Marshal(a.Tags)
	if err != nil {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, s.d.Pgx, func(tx pgx.Tx) (err error) {
		q := s.q.WithTx(tx)
		id, err = q.AddAuthor(ctx, pgxstore.AddAuthorParams{Name: a.Name, Tags: tags, Scores: a.Scores})
		if err != nil {
			return err
		}
		return addPosts(ctx, q, id, a.Posts)
	})
	return id, err
}

// addPosts sends the first post in a batch and copies the others, since sqlc generates both.
func addPosts(ctx context.Context, q *pgxstore.Queries, id int64, posts []Post) (err error) {
	var batch []pgxstore.AddPostParams
	var copied []pgxstore.AddPostsParams
	for i, p := range posts {
		if i == 0 {
			batch = append(batch, pgxstore.AddPostParams{AuthorID: id, Title: p.Title, Slug: slug(p.Title)})
		} else {
			copied = append(copied, pgxstore.AddPostsParams{AuthorID: id, Title: p.Title, Slug: slug(p.Title)})
		}
	}
	q.AddPost(ctx, batch).Exec(func(_ int, e error) {
		if e != nil {
			err = e
		}
	})
	if err != nil {
		return err
	}
	_, err = q.AddPosts(ctx, copied)
	return err
}

func (s sqlcPgxStore) Author(ctx context.Context, id int64) (Author, error) {
	row, err := s.q.AuthorByID(ctx, id)
	if err != nil {
		return Author{}, err
	}
	a := Author{Name: row.Name, Scores: row.Scores}
	if err := json.Unmarshal(row.Tags, &a.Tags); err != nil {
		return Author{}, err
	}
	posts, err := s.q.PostsOf(ctx, []int64{id})
	for _, p := range posts {
		a.Posts = append(a.Posts, Post(p))
	}
	return a, err
}

func (s sqlcPgxStore) AddPost(ctx context.Context, author int64, title string) error {
	return s.q.AddOnePost(ctx, pgxstore.AddOnePostParams{AuthorID: author, Title: title, Slug: slug(title)})
}

func (s sqlcPgxStore) Rename(ctx context.Context, id int64, name string) error {
	return s.q.Rename(ctx, pgxstore.RenameParams{ID: id, Name: name})
}

func (s sqlcPgxStore) Tagged(ctx context.Context, tag string) (int, error) {
	n, err := s.q.Tagged(ctx, tag)
	return int(n), err
}

func (s sqlcPgxStore) Delete(ctx context.Context, id int64) error {
	_, err := s.q.DeleteAuthor(ctx, id)
	return err
}

type sqlcSQLStore struct {
	d Doors
	q *sqlstore.Queries
}

// SqlcSQL returns a store that uses the code that sqlc has generated for database/sql.
func SqlcSQL(d Doors) (Store, error) { return &sqlcSQLStore{d, sqlstore.New(d.SQL)}, nil }

// Migrate also prepares the queries, for which the tables must be there.
func (s *sqlcSQLStore) Migrate(ctx context.Context) error {
	if _, err := s.d.SQL.ExecContext(ctx, Schema); err != nil {
		return err
	}
	return s.Prepare(ctx)
}

// Prepare prepares all queries.
func (s *sqlcSQLStore) Prepare(ctx context.Context) (err error) {
	s.q, err = sqlstore.Prepare(ctx, s.d.SQL)
	return err
}

// Close closes the prepared queries.
func (s *sqlcSQLStore) Close() error { return s.q.Close() }

func (s *sqlcSQLStore) Register(ctx context.Context, a Author) (id int64, err error) {
	tags, err := json.Marshal(a.Tags)
	if err != nil {
		return 0, err
	}
	tx, err := s.d.SQL.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	q := s.q.WithTx(tx)
	id, err = q.AddAuthor(ctx, sqlstore.AddAuthorParams{Name: a.Name, Tags: tags, Scores: a.Scores})
	if err != nil {
		return 0, err
	}
	posts := sqlstore.AddPostsParams{AuthorID: id}
	for _, p := range a.Posts {
		posts.Titles = append(posts.Titles, p.Title)
		posts.Slugs = append(posts.Slugs, slug(p.Title))
	}
	if err := q.AddPosts(ctx, posts); err != nil {
		return 0, err
	}
	return id, tx.Commit()
}

func (s *sqlcSQLStore) Author(ctx context.Context, id int64) (Author, error) {
	row, err := s.q.AuthorByID(ctx, id)
	if err != nil {
		return Author{}, err
	}
	a := Author{Name: row.Name, Scores: row.Scores}
	if err := json.Unmarshal(row.Tags, &a.Tags); err != nil {
		return Author{}, err
	}
	posts, err := s.q.PostsOf(ctx, []int64{id})
	for _, p := range posts {
		a.Posts = append(a.Posts, Post(p))
	}
	return a, err
}

func (s *sqlcSQLStore) AddPost(ctx context.Context, author int64, title string) error {
	return s.q.AddOnePost(ctx, sqlstore.AddOnePostParams{AuthorID: author, Title: title, Slug: slug(title)})
}

func (s *sqlcSQLStore) Rename(ctx context.Context, id int64, name string) error {
	return s.q.Rename(ctx, sqlstore.RenameParams{ID: id, Name: name})
}

func (s *sqlcSQLStore) Tagged(ctx context.Context, tag string) (int, error) {
	n, err := s.q.Tagged(ctx, tag)
	return int(n), err
}

func (s *sqlcSQLStore) Delete(ctx context.Context, id int64) error {
	_, err := s.q.DeleteAuthor(ctx, id)
	return err
}
