// Package compat runs code written for other libraries on repaint: for GORM, bun, ent, sqlx, sqlc,
// scany, squirrel and plain database/sql. It is a module of its own, so that users of repaint don't
// depend on these libraries.
//
// Each store is the same small application, written with its library, which knows nothing of
// repaint. Many goroutines use it, and many tasks of one loop. Scenarios of what the suites of GORM
// and bun demand must see the same as on the database's usual driver. The tools that change schemas
// (goose, golang-migrate) have tests of their own, and package riverrepaint is a driver for River.
// repainttest finds the races of races.go. Package clients has clients of other protocols.
package compat

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Store keeps authors and their posts. Any number of goroutines and tasks may call its methods at
// once.
type Store interface {
	// Migrate creates the tables.
	Migrate(ctx context.Context) error
	// Register inserts an author with all posts, in one transaction, and returns the author's id.
	// If the name is taken, it inserts nothing.
	Register(ctx context.Context, a Author) (id int64, err error)
	// Author returns an author with the posts, in the order of their titles.
	Author(ctx context.Context, id int64) (Author, error)
	// AddPost inserts one post of an author.
	AddPost(ctx context.Context, author int64, title string) error
	// Rename changes the author's name.
	Rename(ctx context.Context, id int64, name string) error
	// Tagged returns how many authors have a tag.
	Tagged(ctx context.Context, tag string) (int, error)
	// Delete deletes an author with all posts.
	Delete(ctx context.Context, id int64) error
}

// An Author is an author in a Store.
type Author struct {
	Name   string
	Tags   []string // stored as JSON
	Scores []int64  // stored as an array if the database has arrays
	Posts  []Post
}

// A Post is a post of an author.
type Post struct {
	Title string
	Slug  string // the store makes it from the title, in a hook if the library has hooks
}

func slug(title string) string { return "post-" + title }

// Doors are the ways to one database.
type Doors struct {
	SQL     *sql.DB
	Pgx     Pgx    // nil except for PostgreSQL
	Dialect string // postgres, mysql or sqlite
}

// Pgx has the methods that code for pgx uses: a pg.DB or a pgxpool.Pool.
type Pgx interface {
	Begin(ctx context.Context) (pgx.Tx, error)
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Schema is the SQL that creates the tables in PostgreSQL, for stores that don't create them from
// Go types.
const Schema = `
create table authors (id bigserial primary key, name text unique not null, tags jsonb not null, scores bigint[] not null);
create table posts (id bigserial primary key, author_id bigint not null references authors on delete cascade,
	title text not null, slug text not null);
create index on posts (author_id)`
