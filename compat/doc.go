// Package compat runs code that was written for others on repaint: for GORM, sqlx, bun and plain database/sql. It is a
// module of its own, so that users of repaint don't depend on these libraries.
//
// Each store is the same small application, in the words of its library, which knows nothing of repaint. It is used by
// many goroutines, and by many tasks of one loop. The races of races.go are found by repainttest.
package compat

import "context"

// A Store keeps authors and their posts.
type Store interface {
	// Migrate makes the tables.
	Migrate(ctx context.Context) error
	// Register inserts an author and the posts in one transaction. If the name is taken, nothing is inserted.
	Register(ctx context.Context, name string, tags []string, titles ...string) (id int64, err error)
	// Author reads an author with the posts, in the order of their titles.
	Author(ctx context.Context, id int64) (Author, error)
	// Rename changes the author's name.
	Rename(ctx context.Context, id int64, name string) error
	// Tagged returns how many authors have a tag.
	Tagged(ctx context.Context, tag string) (int, error)
	// Delete deletes an author with all posts.
	Delete(ctx context.Context, id int64) error
}

// An Author is what Store.Author reads.
type Author struct {
	Name   string
	Tags   []string // stored as JSON
	Titles []string
}
