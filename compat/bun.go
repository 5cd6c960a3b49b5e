package compat

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

type bunAuthor struct {
	bun.BaseModel `bun:"table:authors"`

	ID    int64      `bun:",pk,autoincrement"`
	Name  string     `bun:",unique"`
	Tags  []string   `bun:"type:jsonb"`
	Posts []*bunPost `bun:"rel:has-many,join:id=author_id"`
}

type bunPost struct {
	bun.BaseModel `bun:"table:posts"`

	ID       int64 `bun:",pk,autoincrement"`
	AuthorID int64
	Title    string
}

type bunStore struct{ db *bun.DB }

// Bun returns a store that uses bun.
func Bun(db *sql.DB) (Store, error) { return bunStore{bun.NewDB(db, pgdialect.New())}, nil }

func (s bunStore) Migrate(ctx context.Context) error {
	if _, err := s.db.NewCreateTable().Model((*bunAuthor)(nil)).Exec(ctx); err != nil {
		return err
	}
	_, err := s.db.NewCreateTable().Model((*bunPost)(nil)).
		ForeignKey("(author_id) references authors (id) on delete cascade").Exec(ctx)
	return err
}

func (s bunStore) Register(ctx context.Context, name string, tags []string, titles ...string) (int64, error) {
	a := &bunAuthor{Name: name, Tags: tags}
	err := s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(a).Exec(ctx); err != nil {
			return err
		}
		posts := make([]bunPost, len(titles))
		for i, t := range titles {
			posts[i] = bunPost{AuthorID: a.ID, Title: t}
		}
		_, err := tx.NewInsert().Model(&posts).Exec(ctx)
		return err
	})
	return a.ID, err
}

func (s bunStore) Author(ctx context.Context, id int64) (Author, error) {
	a := new(bunAuthor)
	err := s.db.NewSelect().Model(a).Where("id = ?", id).
		Relation("Posts", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("title") }).Scan(ctx)
	found := Author{Name: a.Name, Tags: a.Tags}
	for _, p := range a.Posts {
		found.Titles = append(found.Titles, p.Title)
	}
	return found, err
}

func (s bunStore) Rename(ctx context.Context, id int64, name string) error {
	_, err := s.db.NewUpdate().Model((*bunAuthor)(nil)).Set("name = ?", name).Where("id = ?", id).Exec(ctx)
	return err
}

func (s bunStore) Tagged(ctx context.Context, tag string) (int, error) {
	n, err := s.db.NewSelect().Model((*bunAuthor)(nil)).Where("jsonb_exists(tags, ?)", tag).Count(ctx)
	return int(n), err
}

func (s bunStore) Delete(ctx context.Context, id int64) error {
	_, err := s.db.NewDelete().Model((*bunAuthor)(nil)).Where("id = ?", id).Exec(ctx)
	return err
}
