package main

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/pg"
)

const schema = `
create table if not exists users (id bigint generated always as identity primary key, name text not null unique,
	posts int not null default 0);
create table if not exists posts (id bigint generated always as identity primary key, user_id bigint not null references users,
	title text not null, text text not null);
create index if not exists posts_user_id on posts (user_id);
create table if not exists comments (id bigint generated always as identity primary key,
	post_id bigint not null references posts on delete cascade, user_id bigint not null references users, text text not null);
create index if not exists comments_post_id on comments (post_id)`

type user struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Posts int    `json:"posts"`
}

type post struct {
	ID       int64     `json:"id"`
	UserID   int64     `json:"-"`
	Title    string    `json:"title"`
	Text     string    `json:"text"`
	Author   user      `json:"author" db:"-"`
	Comments []comment `json:"comments" db:"-"`
}

type comment struct {
	ID     int64  `json:"id"`
	PostID int64  `json:"-"`
	UserID int64  `json:"-"`
	Text   string `json:"text"`
	Author user   `json:"author" db:"-"`
}

// A store keeps the service's data. Any number of goroutines and tasks may call its methods at
// once.
type store struct{ db *pg.DB }

// migrate creates the tables. If several services start at once, they do so one after another.
func (s *store) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock(726570)"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, schema)
		return err
	})
}

func (s *store) addUser(ctx context.Context, name string) (u user, err error) {
	rows, _ := s.db.Query(ctx, "insert into users (name) values ($1) returning id, name, posts", name)
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[user])
}

// addPost adds a post and counts it, in one transaction.
func (s *store) addPost(ctx context.Context, userID int64, title, text string) (id int64, err error) {
	err = pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "update users set posts = posts + 1 where id = $1", userID)
		switch {
		case err != nil:
			return err
		case tag.RowsAffected() == 0:
			return pgx.ErrNoRows
		}
		return tx.QueryRow(ctx, "insert into posts (user_id, title, text) values ($1, $2, $3) returning id", userID, title, text).Scan(&id)
	})
	return id, err
}

func (s *store) addComment(ctx context.Context, postID, userID int64, text string) (id int64, err error) {
	err = s.db.QueryRow(ctx, "insert into comments (post_id, user_id, text) values ($1, $2, $3) returning id", postID, userID, text).Scan(&id)
	return id, err
}

// post returns a post with its author and comments.
func (s *store) post(ctx context.Context, id int64) (post, error) {
	posts, err := s.posts(ctx, "select id, user_id, title, text from posts where id = $1", id)
	switch {
	case err != nil:
		return post{}, err
	case len(posts) == 0:
		return post{}, pgx.ErrNoRows
	}
	return posts[0], nil
}

// newest returns the newest posts with their authors and comments.
func (s *store) newest(ctx context.Context, limit int) ([]post, error) {
	return s.posts(ctx, "select id, user_id, title, text from posts order by id desc limit $1", limit)
}

// posts completes each post in a task of its own. Whatever the number of posts, that takes two more
// statements: one for all comments, and one for all authors, of posts and of comments.
func (s *store) posts(ctx context.Context, query string, args ...any) (posts []post, err error) {
	err = repaint.Run(ctx, func(ctx context.Context) error {
		rows, _ := s.db.Query(ctx, query, args...)
		if posts, err = pgx.CollectRows(rows, pgx.RowToStructByName[post]); err != nil {
			return err
		}
		load := s.loaders()
		g := repaint.NewGroup(ctx)
		for i := range posts {
			g.Go(func(ctx context.Context) error { return load.complete(ctx, &posts[i]) })
		}
		return g.Wait()
	})
	return posts, err
}

// loaders collect the queries of a request's tasks.
type loaders struct {
	users    *coop.Loader[int64, user]
	comments *coop.Loader[int64, []comment] // the comments of a post
}

func (s *store) loaders() loaders {
	return loaders{
		users: coop.NewLoader(func(ctx context.Context, ids []int64) (map[int64]user, error) {
			rows, _ := s.db.Query(ctx, "select id, name, posts from users where id = any($1)", ids)
			users, err := pgx.CollectRows(rows, pgx.RowToStructByName[user])
			byID := make(map[int64]user, len(users))
			for _, u := range users {
				byID[u.ID] = u
			}
			return byID, err
		}),
		comments: coop.NewLoader(func(ctx context.Context, posts []int64) (map[int64][]comment, error) {
			rows, _ := s.db.Query(ctx, "select id, post_id, user_id, text from comments where post_id = any($1) order by id", posts)
			comments, err := pgx.CollectRows(rows, pgx.RowToStructByName[comment])
			byPost := make(map[int64][]comment, len(posts))
			for _, id := range posts {
				byPost[id] = []comment{}
			}
			for _, c := range comments {
				byPost[c.PostID] = append(byPost[c.PostID], c)
			}
			return byPost, err
		}),
	}
}

// complete adds the comments and the authors of one post, as if it were the only one.
func (l loaders) complete(ctx context.Context, p *post) (err error) {
	if p.Comments, err = l.comments.Load(ctx, p.ID); err != nil {
		return err
	}
	p.Comments = slices.Clone(p.Comments)
	ids := []int64{p.UserID}
	for _, c := range p.Comments {
		ids = append(ids, c.UserID)
	}
	authors, err := l.users.LoadMany(ctx, ids)
	if err != nil {
		return err
	}
	p.Author = authors[0]
	for i := range p.Comments {
		p.Comments[i].Author = authors[i+1]
	}
	return nil
}

// healthy reports whether the database answers.
func (s *store) healthy(ctx context.Context) error {
	if err := s.db.Ping(ctx); err != nil {
		return errors.Join(errors.New("the database doesn't answer"), err)
	}
	return nil
}
