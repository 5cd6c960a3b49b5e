package db_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// blog is a repository of 20 queries like a service's: reads with joins, lists, counts, upserts and
// a transaction. It shows how much code that takes.
type blog struct{ q db.Querier }

type author struct {
	ID    int
	Email string
	Name  string
}

type article struct {
	ID     int
	Title  string
	Body   string
	Author author
	Editor *author // nil if there is none
}

type remark struct {
	ID      int
	Text    string
	Author  author
	Article struct{ ID, Title *string }
}

const (
	articles = `select p.id, p.title, p.body, a.id as "author.id", a.email as "author.email", a.name as "author.name",
			e.id as "editor.id", e.email as "editor.email", e.name as "editor.name"
		from articles p join authors a on a.id = p.author left join authors e on e.id = p.editor `
	remarks = `select r.id, r.text, a.id as "author.id", a.email as "author.email", a.name as "author.name", p.title as "article.title"
		from remarks r join authors a on a.id = r.author join articles p on p.id = r.article `
)

func (b blog) addAuthor(ctx context.Context, a author) (int, error) {
	return db.Scalar[int](ctx, b.q, "insert into authors (email, name) values (:email, :name) returning id", a)
}

func (b blog) author(ctx context.Context, id int) (author, error) {
	return db.One[author](ctx, b.q, "select * from authors where id = :id", db.Args{"id": id})
}

func (b blog) authorByEmail(ctx context.Context, email string) (author, error) {
	return db.One[author](ctx, b.q, "select * from authors where email = :email", db.Args{"email": email})
}

func (b blog) authors(ctx context.Context, ids []int) ([]author, error) {
	return db.All[author](ctx, b.q, "select * from authors where id in (:ids) order by id", db.Args{"ids": ids})
}

func (b blog) rename(ctx context.Context, id int, name string) error {
	return db.ExecOne(ctx, b.q, "update authors set name = :name where id = :id", db.Args{"id": id, "name": name})
}

func (b blog) saveAuthors(ctx context.Context, all []author) error {
	_, err := db.ExecUpsert(ctx, b.q, db.Upsert{
		Table: "authors", Columns: []string{"email", "name"}, Key: []string{"email"}, Update: []string{"name"},
	}, all)
	return err
}

func (b blog) removeAuthor(ctx context.Context, id int) error {
	return db.ExecOne(ctx, b.q, "delete from authors where id = :id", db.Args{"id": id})
}

func (b blog) addArticle(ctx context.Context, a article) (int, error) {
	return db.Scalar[int](ctx, b.q, `insert into articles (title, body, author, editor)
		values (:title, :body, :author.id, :editor.id) returning id`, a)
}

func (b blog) addArticles(ctx context.Context, all []article) error {
	_, err := db.ExecMany(ctx, b.q, "insert into articles (title, body, author, editor) values (:title, :body, :author.id, :editor.id)", all)
	return err
}

func (b blog) article(ctx context.Context, id int) (article, error) {
	return db.One[article](ctx, b.q, articles+"where p.id = :id", db.Args{"id": id})
}

func (b blog) page(ctx context.Context, after, n int) ([]article, error) {
	return db.All[article](ctx, b.q, articles+"where p.id > :after order by p.id limit :n", db.Args{"after": after, "n": n})
}

func (b blog) articlesOf(ctx context.Context, email string) ([]article, error) {
	return db.All[article](ctx, b.q, articles+"where a.email = :email order by p.id", db.Args{"email": email})
}

func (b blog) search(ctx context.Context, text string) ([]article, error) {
	return db.All[article](ctx, b.q, articles+"where p.title like :t or p.body like :t order by p.id", db.Args{"t": "%" + text + "%"})
}

func (b blog) assign(ctx context.Context, a article) error {
	return db.ExecOne(ctx, b.q, "update articles set editor = :editor.id where id = :id", a)
}

func (b blog) counts(ctx context.Context) (map[string]int, error) {
	return db.Map[string, int](ctx, b.q, "select a.email, count(p.id) from authors a left join articles p on p.author = a.id group by a.email")
}

func (b blog) titles(ctx context.Context) ([]string, error) {
	return db.All[string](ctx, b.q, "select title from articles order by title")
}

func (b blog) comment(ctx context.Context, article int, r remark) (int, error) {
	return db.Scalar[int](ctx, b.q, "insert into remarks (text, author, article) values (:text, :author.id, :article) returning id",
		db.Args{"article": article}, r)
}

func (b blog) remarks(ctx context.Context, article int) ([]remark, error) {
	return db.All[remark](ctx, b.q, remarks+"where r.article = :id order by r.id", db.Args{"id": article})
}

func (b blog) exists(ctx context.Context, email string) (bool, error) {
	return db.Scalar[bool](ctx, b.q, "select exists(select 1 from authors where email = :email)", db.Args{"email": email})
}

func (b blog) removeArticle(ctx context.Context, id int) error {
	return b.q.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "delete from remarks where article = :id", db.Args{"id": id}); err != nil {
			return err
		}
		return db.ExecOne(ctx, tx, "delete from articles where id = :id", db.Args{"id": id})
	})
}

func TestARepositoryOfTwentyQueries(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, _ dbtest.Colour) {
		dbtest.Exec(t, ctx, e,
			"create table authors(id integer primary key, email text not null unique, name text not null)",
			"create table articles(id integer primary key, title text not null, body text not null, author int not null references authors(id), editor int references authors(id))",
			"create table remarks(id integer primary key, text text not null, author int not null references authors(id), article int not null references articles(id))")
		b := blog{e}
		ada := author{Email: "ada@x", Name: "Ada"}
		var err error
		ada.ID, err = b.addAuthor(ctx, ada)
		require.NoError(t, err)
		require.NoError(t, b.saveAuthors(ctx, []author{{Email: "ada@x", Name: "Ada L."}, {Email: "bob@x", Name: "Bob"}}))
		require.NoError(t, b.rename(ctx, ada.ID, "Ada"))
		require.ErrorIs(t, b.rename(ctx, 99, "Nobody"), db.ErrNoRows)
		bob, err := b.authorByEmail(ctx, "bob@x")
		require.NoError(t, err)
		both, err := b.authors(ctx, []int{ada.ID, bob.ID, 99})
		require.NoError(t, err)
		require.Equal(t, []author{ada, bob}, both)
		same, err := b.author(ctx, ada.ID)
		require.NoError(t, err)
		require.Equal(t, ada, same)

		first := article{Title: "one", Body: "text", Author: ada, Editor: &bob}
		first.ID, err = b.addArticle(ctx, first)
		require.NoError(t, err)
		require.NoError(t, b.addArticles(ctx, []article{{Title: "two", Body: "more", Author: ada}, {Title: "three", Author: bob}}))
		got, err := b.article(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, first, got)
		page, err := b.page(ctx, first.ID, 1)
		require.NoError(t, err)
		require.Equal(t, []article{{ID: 2, Title: "two", Body: "more", Author: ada}}, page)
		page[0].Editor = &ada
		require.NoError(t, b.assign(ctx, page[0]))
		found, err := b.search(ctx, "mor")
		require.NoError(t, err)
		require.Equal(t, page, found)
		of, err := b.articlesOf(ctx, "bob@x")
		require.NoError(t, err)
		require.Len(t, of, 1)
		counts, err := b.counts(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"ada@x": 2, "bob@x": 1}, counts)
		titles, err := b.titles(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"one", "three", "two"}, titles)

		_, err = b.comment(ctx, first.ID, remark{Text: "good", Author: bob})
		require.NoError(t, err)
		said, err := b.remarks(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, bob, said[0].Author)
		require.Equal(t, "one", *said[0].Article.Title)
		require.NoError(t, b.removeArticle(ctx, first.ID))
		require.ErrorIs(t, b.removeAuthor(ctx, bob.ID), db.ErrForeignKey)
		there, err := b.exists(ctx, "bob@x")
		require.NoError(t, err)
		require.True(t, there)
	})
}
