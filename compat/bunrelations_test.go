package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
)

// A bunBook belongs to a writer, has reviews and tags, and is deleted softly.
type bunBook struct {
	bun.BaseModel `bun:"table:books,alias:book"`

	ID       int64 `bun:",pk,autoincrement"`
	Title    string
	WriterID int64
	Facts    bunFacts       `bun:"type:json"`
	Free     map[string]any `bun:"type:json,nullzero"`
	Deleted  bun.NullTime   `bun:",soft_delete,nullzero"`
	Writer   *bunWriter     `bun:"rel:belongs-to,join:writer_id=id"`
	Reviews  []bunReview    `bun:"rel:has-many,join:id=subject_id,join:type=kind,polymorphic:book"`
	Labels   []bunLabel     `bun:"m2m:book_labels,join:Book=Label"`

	calls []string
}

type bunFacts struct {
	Pages  int               `json:"pages"`
	Names  []string          `json:"names"`
	Nested map[string]string `json:"nested,omitempty"`
}

type bunWriter struct {
	bun.BaseModel `bun:"table:writers,alias:writer"`

	ID      int64 `bun:",pk,autoincrement"`
	Name    string
	BossID  int64       `bun:",nullzero"`
	Boss    *bunWriter  `bun:"rel:belongs-to,join:boss_id=id"`
	Desk    *bunDesk    `bun:"rel:has-one,join:id=writer_id"`
	Books   []*bunBook  `bun:"rel:has-many,join:id=writer_id"`
	Reviews []bunReview `bun:"rel:has-many,join:id=subject_id,join:type=kind,polymorphic:writer"`
}

type bunDesk struct {
	bun.BaseModel `bun:"table:desks,alias:desk"`

	ID       int64 `bun:",pk,autoincrement"`
	WriterID int64
	Room     string
}

type bunReview struct {
	bun.BaseModel `bun:"table:reviews,alias:review"`

	ID        int64 `bun:",pk,autoincrement"`
	Text      string
	SubjectID int64
	Kind      string
}

type bunLabel struct {
	bun.BaseModel `bun:"table:labels,alias:label"`

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

type bunBookLabel struct {
	bun.BaseModel `bun:"table:book_labels,alias:book_label"`

	BookID  int64     `bun:",pk"`
	LabelID int64     `bun:",pk"`
	Book    *bunBook  `bun:"rel:belongs-to,join:book_id=id"`
	Label   *bunLabel `bun:"rel:belongs-to,join:label_id=id"`
}

// BeforeAppendModel notes which query it is for.
func (b *bunBook) BeforeAppendModel(_ context.Context, q bun.Query) error {
	b.calls = append(b.calls, "append for "+q.Operation())
	if b.Title == "refused" {
		return errHook
	}
	return nil
}

// BeforeScanRow is one of bun's hooks.
func (b *bunBook) BeforeScanRow(context.Context) error {
	b.calls = append(b.calls, "before scan")
	return nil
}

// AfterScanRow sees the values.
func (b *bunBook) AfterScanRow(context.Context) error {
	b.calls = append(b.calls, "after scan of "+b.Title)
	return nil
}

type bunSeen struct{}

// AfterSelect reads with the query's connection, and notes the call.
func (*bunBook) AfterSelect(ctx context.Context, q *bun.SelectQuery) error {
	return seeBun(ctx, "select", q.DB())
}

// AfterInsert is one of bun's hooks.
func (*bunBook) AfterInsert(ctx context.Context, q *bun.InsertQuery) error {
	return seeBun(ctx, "insert", q.DB())
}

// AfterUpdate is one of bun's hooks.
func (*bunBook) AfterUpdate(ctx context.Context, q *bun.UpdateQuery) error {
	return seeBun(ctx, "update", q.DB())
}

// AfterDelete is one of bun's hooks.
func (*bunBook) AfterDelete(ctx context.Context, q *bun.DeleteQuery) error {
	return seeBun(ctx, "delete", q.DB())
}

func seeBun(ctx context.Context, what string, db *bun.DB) error {
	if n, is := ctx.Value(bunSeen{}).(*notes); is {
		labels, err := db.NewSelect().Model((*bunLabel)(nil)).Count(ctx)
		if err != nil {
			return err
		}
		n.add("after %s, with %d labels", what, labels)
	}
	return nil
}

// What bun's suite demands of relations, JSON, soft deletes and hooks.
func TestBunsRelationsJSONSoftDeletesAndHooks(t *testing.T) {
	agree(t, []string{"postgres", "mysql", "sqlite"}, func(t *testing.T, ctx context.Context, d Doors, n *notes) {
		s, err := Bun(d)
		require.NoError(t, err)
		b := s.(bunStore).db
		b.RegisterModel((*bunBookLabel)(nil))
		for _, model := range []any{(*bunWriter)(nil), (*bunDesk)(nil), (*bunBook)(nil), (*bunReview)(nil), (*bunLabel)(nil), (*bunBookLabel)(nil)} {
			_, err := b.NewCreateTable().Model(model).Exec(ctx)
			require.NoError(t, err)
		}
		insert := func(model any) {
			_, err := b.NewInsert().Model(model).Exec(ctx)
			require.NoError(t, err)
		}
		insert(&[]bunWriter{{ID: 1, Name: "ada"}, {ID: 2, Name: "bob", BossID: 1}})
		insert(&[]bunDesk{{ID: 1, WriterID: 2, Room: "cellar"}})
		books := []*bunBook{
			{ID: 1, Title: "first", WriterID: 1, Facts: bunFacts{Pages: 10, Names: []string{`quo"ted`, "é, \\"}}, Free: map[string]any{"a": nil, "b": []any{1.5, "x"}}},
			{ID: 2, Title: "second", WriterID: 2, Facts: bunFacts{Nested: map[string]string{"k": "it's ? and $1"}}},
			{ID: 3, Title: "third", WriterID: 2},
		}
		insert(&books)
		n.add("inserted: %v", books[0].calls)
		insert(&[]bunReview{{Text: "good", SubjectID: 1, Kind: "book"}, {Text: "nice", SubjectID: 1, Kind: "writer"}, {Text: "bad", SubjectID: 1, Kind: "book"}})
		insert(&[]bunLabel{{ID: 1, Name: "red"}, {ID: 2, Name: "blue"}})
		insert(&[]bunBookLabel{{BookID: 1, LabelID: 1}, {BookID: 1, LabelID: 2}, {BookID: 2, LabelID: 2}})
		bunRelations(t, ctx, b, n)
		bunJSON(t, ctx, b, d.Dialect, n)
		bunSoftDeletes(t, ctx, b, n)
		bunHooks(t, ctx, b, n)
		bunAtOnce(t, ctx, b)
	})
}

func bunRelations(t *testing.T, ctx context.Context, b *bun.DB, n *notes) {
	show := func(book bunBook) {
		var reviews, labels []string
		for _, r := range book.Reviews {
			reviews = append(reviews, r.Text)
		}
		for _, l := range book.Labels {
			labels = append(labels, l.Name)
		}
		slices.Sort(reviews)
		slices.Sort(labels)
		n.add("%s %v %v", book.Title, reviews, labels)
		if w := book.Writer; w != nil {
			n.add("  by %s, boss %v, desk %v", w.Name, w.Boss != nil && w.Boss.Name == "ada", w.Desk != nil && w.Desk.Room == "cellar")
		}
	}
	var books []bunBook
	require.NoError(t, b.NewSelect().Model(&books).Relation("Writer").Relation("Writer.Boss").Relation("Writer.Desk").
		Relation("Reviews").Relation("Labels").Order("book.id").Scan(ctx))
	require.Len(t, books, 3)
	for _, book := range books {
		show(book)
	}
	require.Len(t, books[0].Reviews, 2)
	require.Len(t, books[0].Labels, 2)
	var writers []bunWriter
	require.NoError(t, b.NewSelect().Model(&writers).Relation("Reviews").Relation("Books", func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("title <> ?", "third").OrderExpr("id DESC")
	}).Relation("Books.Labels").Order("writer.id").Scan(ctx))
	for _, w := range writers {
		n.add("%s: %d books, %d reviews", w.Name, len(w.Books), len(w.Reviews))
		for _, book := range w.Books {
			show(*book)
		}
	}
	count, err := b.NewSelect().Model(&writers).Relation("Desk").Where("desk.room = ?", "cellar").ScanAndCount(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, int(count))
	exists, err := b.NewSelect().Model((*bunBook)(nil)).Where("title = ?", "nothing").Exists(ctx)
	require.NoError(t, err)
	require.False(t, exists)
	require.Error(t, b.NewSelect().Model(&writers).Relation("Nothing").Scan(ctx))
}

func bunJSON(t *testing.T, ctx context.Context, b *bun.DB, dialect string, n *notes) {
	var book bunBook
	require.NoError(t, b.NewSelect().Model(&book).Where("id = 1").Scan(ctx))
	require.Equal(t, bunFacts{Pages: 10, Names: []string{`quo"ted`, "é, \\"}}, book.Facts)
	require.Equal(t, map[string]any{"a": nil, "b": []any{1.5, "x"}}, book.Free)
	var other bunBook
	require.NoError(t, b.NewSelect().Model(&other).Where("id = 2").Scan(ctx))
	require.Equal(t, "it's ? and $1", other.Facts.Nested["k"])
	require.Nil(t, other.Free)
	path := map[string]string{"postgres": "facts->>'pages'", "mysql": "json_value(facts, '$.pages')", "sqlite": "facts->>'pages'"}[dialect]
	var pages []string
	require.NoError(t, b.NewSelect().Model((*bunBook)(nil)).ColumnExpr("?", bun.Safe(path)).Order("id").Scan(ctx, &pages))
	require.Equal(t, []string{"10", "0", "0"}, pages)
	book.Facts.Pages = 11
	_, err := b.NewUpdate().Model(&book).Column("facts").WherePK().Exec(ctx)
	require.NoError(t, err)
	var rows []map[string]any
	require.NoError(t, b.NewSelect().Table("books").Column("id", "title", "facts", "free").Where("id < 3").Order("id").Scan(ctx, &rows))
	for _, row := range rows {
		n.add("%T %v %q %q", row["id"], row["id"], row["facts"], row["free"])
	}
}

func bunSoftDeletes(t *testing.T, ctx context.Context, b *bun.DB, n *notes) {
	count := func(q *bun.SelectQuery) int {
		c, err := q.Count(ctx)
		require.NoError(t, err)
		return int(c)
	}
	books := func() *bun.SelectQuery { return b.NewSelect().Model((*bunBook)(nil)) }
	res, err := b.NewDelete().Model(&bunBook{ID: 3}).WherePK().Exec(ctx)
	require.NoError(t, err)
	rows, err := res.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, rows)
	require.Equal(t, []int{2, 1, 3}, []int{count(books()), count(books().WhereDeleted()), count(books().WhereAllWithDeleted())})
	_, err = b.NewUpdate().Model((*bunBook)(nil)).Set("title = ?", "changed").Where("id = 3").Exec(ctx)
	require.NoError(t, err)
	var gone bunBook
	require.NoError(t, b.NewSelect().Model(&gone).WhereDeleted().Scan(ctx))
	require.Equal(t, "third", gone.Title, "an update leaves it alone")
	require.False(t, gone.Deleted.IsZero())
	var writer bunWriter
	require.NoError(t, b.NewSelect().Model(&writer).Where("id = 2").Relation("Books").Scan(ctx))
	require.Len(t, writer.Books, 1, "a relation leaves it out")
	_, err = b.NewUpdate().Model(&gone).Set("deleted = NULL").WherePK().WhereAllWithDeleted().Exec(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, count(books()))
	_, err = b.NewDelete().Model(&gone).WherePK().ForceDelete().Exec(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, count(books().WhereAllWithDeleted()))
	n.add("soft deletes")
}

func bunHooks(t *testing.T, ctx context.Context, b *bun.DB, n *notes) {
	seen := context.WithValue(ctx, bunSeen{}, n)
	book := &bunBook{ID: 4, Title: "hooked"}
	_, err := b.NewInsert().Model(book).Exec(seen)
	require.NoError(t, err)
	require.NoError(t, b.NewSelect().Model(book).WherePK().Scan(seen))
	_, err = b.NewUpdate().Model(book).Column("title").WherePK().Exec(seen)
	require.NoError(t, err)
	_, err = b.NewDelete().Model(book).WherePK().ForceDelete().Exec(seen)
	require.NoError(t, err)
	n.add("%v", book.calls)
	book.Title = "refused"
	_, err = b.NewInsert().Model(book).Exec(ctx)
	require.ErrorIs(t, err, errHook)
	require.ErrorIs(t, b.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&bunBook{ID: 5, Title: "undone"}).Exec(ctx); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(book).Exec(ctx)
		return err
	}), errHook)
	exists, err := b.NewSelect().Model((*bunBook)(nil)).Where("id = 5").Exists(ctx)
	require.NoError(t, err)
	require.False(t, exists)
}

// bunAtOnce writes and reads relations from many callers. Every second one rolls back to a savepoint.
func bunAtOnce(t *testing.T, ctx context.Context, b *bun.DB) {
	undone := errors.New("undone")
	fns := make([]func() error, 8)
	for i := range fns {
		fns[i] = func() error {
			w := &bunWriter{ID: int64(100 + i), Name: fmt.Sprint("caller ", i)}
			id := 10 * w.ID
			if err := b.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
				if _, err := tx.NewInsert().Model(w).Exec(ctx); err != nil {
					return err
				}
				books := []*bunBook{{ID: id, Title: "a", WriterID: w.ID}, {ID: id + 1, Title: "b", WriterID: w.ID}}
				if _, err := tx.NewInsert().Model(&books).Exec(ctx); err != nil {
					return err
				}
				err := tx.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
					if _, err := tx.NewInsert().Model(&bunBook{ID: id + 2, Title: "c", WriterID: w.ID}).Exec(ctx); err != nil || i%2 == 0 {
						return err
					}
					return undone
				})
				if err != nil && !errors.Is(err, undone) {
					return err
				}
				return nil
			}); err != nil {
				return err
			}
			var got bunWriter
			if err := b.NewSelect().Model(&got).Relation("Books").Where("writer.id = ?", w.ID).Scan(ctx); err != nil {
				return err
			}
			if want := []int{3, 2}[i%2]; len(got.Books) != want {
				return fmt.Errorf("%s has %d books, want %d", got.Name, len(got.Books), want)
			}
			return nil
		}
	}
	together(t, ctx, fns)
}
