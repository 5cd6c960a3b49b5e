package compat

import (
	"context"
	"database/sql"
	"strings"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/lib/pq"

	"github.com/seed1239206e/repaint/compat/internal/entstore"
	"github.com/seed1239206e/repaint/compat/internal/entstore/author"
	"github.com/seed1239206e/repaint/compat/internal/entstore/post"
	_ "github.com/seed1239206e/repaint/compat/internal/entstore/runtime" // the schema's hooks

	entdialect "entgo.io/ent/dialect"
)

type entStore struct {
	db      *sql.DB
	client  *entstore.Client
	dialect string
}

// Ent returns a store that uses the code that ent has generated. Its slugs are made by a hook of
// the schema.
func Ent(d Doors) (Store, error) {
	name := map[string]string{"sqlite": entdialect.SQLite}[d.Dialect]
	if name == "" {
		name = d.Dialect
	}
	return entStore{d.SQL, entstore.NewClient(entstore.Driver(entsql.OpenDB(name, d.SQL))), name}, nil
}

// Migrate makes the tables in a transaction, where there is such a thing. MySQL would commit it
// with the first table, which package db refuses, so the texts are run one by one there.
func (s entStore) Migrate(ctx context.Context) error {
	if s.dialect != entdialect.MySQL {
		return s.client.Schema.Create(ctx)
	}
	var texts strings.Builder
	if err := s.client.Schema.WriteTo(ctx, &texts); err != nil {
		return err
	}
	for text := range strings.SplitSeq(texts.String(), ";\n") {
		if _, err := s.db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (s entStore) Register(ctx context.Context, a Author) (id int64, err error) {
	tx, err := s.client.Tx(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	made, err := tx.Author.Create().SetName(a.Name).SetTags(a.Tags).SetScores(pq.Int64Array(a.Scores)).Save(ctx)
	if err != nil {
		return 0, err
	}
	_, err = tx.Post.MapCreateBulk(a.Posts, func(c *entstore.PostCreate, i int) {
		c.SetTitle(a.Posts[i].Title).SetAuthor(made)
	}).Save(ctx)
	if err != nil {
		return 0, err
	}
	return made.ID, tx.Commit()
}

func (s entStore) Author(ctx context.Context, id int64) (Author, error) {
	got, err := s.client.Author.Query().Where(author.ID(id)).
		WithPosts(func(q *entstore.PostQuery) { q.Order(post.ByTitle()) }).Only(ctx)
	if err != nil {
		return Author{}, err
	}
	a := Author{Name: got.Name, Tags: got.Tags, Scores: got.Scores}
	for _, p := range got.Edges.Posts {
		a.Posts = append(a.Posts, Post{p.Title, p.Slug})
	}
	return a, nil
}

func (s entStore) AddPost(ctx context.Context, author int64, title string) error {
	return s.client.Post.Create().SetTitle(title).SetAuthorID(author).Exec(ctx)
}

func (s entStore) Rename(ctx context.Context, id int64, name string) error {
	return s.client.Author.UpdateOneID(id).SetName(name).Exec(ctx)
}

func (s entStore) Tagged(ctx context.Context, tag string) (int, error) {
	return s.client.Author.Query().Where(func(sel *entsql.Selector) {
		sel.Where(hasTag(s.dialect, sel.C(author.FieldTags), tag))
	}).Count(ctx)
}

func (s entStore) Delete(ctx context.Context, id int64) error {
	return s.client.Author.DeleteOneID(id).Exec(ctx)
}
