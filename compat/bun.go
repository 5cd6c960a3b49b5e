package compat

import (
	"context"
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/dialect/sqltype"
	"github.com/uptrace/bun/schema"
)

type bunAuthor struct {
	bun.BaseModel `bun:"table:authors"`

	ID     int64      `bun:",pk,autoincrement"`
	Name   string     `bun:"type:varchar(100),unique"`
	Tags   []string   // stored as JSON
	Scores []int64    `bun:"type:bigint[],array"`
	Posts  []*bunPost `bun:"rel:has-many,join:id=author_id"`
}

type bunPost struct {
	bun.BaseModel `bun:"table:posts"`

	ID       int64 `bun:",pk,autoincrement"`
	AuthorID int64
	Title    string
	Slug     string
}

var _ bun.BeforeAppendModelHook = (*bunPost)(nil)

// BeforeAppendModel is one of bun's hooks.
func (p *bunPost) BeforeAppendModel(_ context.Context, q bun.Query) error {
	if _, ok := q.(*bun.InsertQuery); ok {
		p.Slug = slug(p.Title)
	}
	return nil
}

type bunStore struct {
	db   *bun.DB
	name string
}

// Bun returns a store that uses bun.
func Bun(d Doors) (Store, error) {
	var dialect schema.Dialect
	switch d.Dialect {
	case "mysql":
		dialect = mysqldialect.New()
	case "sqlite":
		dialect = sqlitedialect.New()
	default:
		return bunStore{bun.NewDB(d.SQL, pgdialect.New()), d.Dialect}, nil
	}
	db := bun.NewDB(d.SQL, dialect)
	// Without arrays, bun keeps the scores as JSON.
	db.Table(reflect.TypeFor[bunAuthor]()).FieldMap["scores"].CreateTableSQLType = sqltype.JSON
	return bunStore{db, d.Dialect}, nil
}

func (s bunStore) Migrate(ctx context.Context) error {
	if _, err := s.db.NewCreateTable().Model((*bunAuthor)(nil)).Exec(ctx); err != nil {
		return err
	}
	_, err := s.db.NewCreateTable().Model((*bunPost)(nil)).
		ForeignKey("(author_id) references authors (id) on delete cascade").Exec(ctx)
	return err
}

func (s bunStore) Register(ctx context.Context, a Author) (int64, error) {
	row := &bunAuthor{Name: a.Name, Tags: a.Tags, Scores: a.Scores}
	err := s.db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return err
		}
		posts := make([]*bunPost, len(a.Posts))
		for i, p := range a.Posts {
			posts[i] = &bunPost{AuthorID: row.ID, Title: p.Title}
		}
		_, err := tx.NewInsert().Model(&posts).Exec(ctx)
		return err
	})
	return row.ID, err
}

func (s bunStore) Author(ctx context.Context, id int64) (Author, error) {
	row := new(bunAuthor)
	err := s.db.NewSelect().Model(row).Where("id = ?", id).
		Relation("Posts", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("title") }).Scan(ctx)
	a := Author{Name: row.Name, Tags: row.Tags, Scores: row.Scores}
	for _, p := range row.Posts {
		a.Posts = append(a.Posts, Post{p.Title, p.Slug})
	}
	return a, err
}

func (s bunStore) AddPost(ctx context.Context, author int64, title string) error {
	_, err := s.db.NewInsert().Model(&bunPost{AuthorID: author, Title: title}).Exec(ctx)
	return err
}

func (s bunStore) Rename(ctx context.Context, id int64, name string) error {
	_, err := s.db.NewUpdate().Model((*bunAuthor)(nil)).Set("name = ?", name).Where("id = ?", id).Exec(ctx)
	return err
}

func (s bunStore) Tagged(ctx context.Context, tag string) (int, error) {
	n, err := s.db.NewSelect().Model((*bunAuthor)(nil)).Where(tagged[s.name], tag).Count(ctx)
	return int(n), err
}

func (s bunStore) Delete(ctx context.Context, id int64) error {
	_, err := s.db.NewDelete().Model((*bunAuthor)(nil)).Where("id = ?", id).Exec(ctx)
	return err
}
