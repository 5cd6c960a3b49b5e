package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/seed1239206e/repaint/bench/internal/report"
	"github.com/seed1239206e/repaint/compat"
)

// A library is one whose code runs on both sides.
type library struct {
	name string
	open func(compat.Doors) (compat.Store, error)
	// inline says that the library writes arguments into the text, so that there are as many texts
	// as calls. It then runs without prepared statements.
	inline bool
}

var libraries = []library{
	{name: "gorm", open: compat.Gorm},
	{name: "bun", open: compat.Bun, inline: true},
	{name: "sqlx", open: compat.Sqlx},
	{name: "ent", open: compat.Ent},
	{name: "sqlc", open: compat.SqlcSQL},
	{name: "sqlc for pgx", open: compat.SqlcPgx},
}

// A workload is what a caller does again and again.
type workload struct {
	name               string
	reads, transaction bool
	do                 func(ctx context.Context, s compat.Store, i int) error
}

// authors is how many authors are read. As many others get posts.
const authors = 1000

var names atomic.Int64 // for the authors that are registered

var workloads = []workload{
	{name: "read an author with posts (2 statements)", reads: true, do: func(ctx context.Context, s compat.Store, i int) error {
		a, err := s.Author(ctx, int64(i%authors)+1)
		if err == nil && (len(a.Posts) != 2 || len(a.Tags) != 2 || len(a.Scores) != 3) {
			err = fmt.Errorf("a wrong author: %+v", a)
		}
		return err
	}},
	{name: "insert a post", do: func(ctx context.Context, s compat.Store, i int) error {
		return s.AddPost(ctx, int64(authors+i%authors)+1, "a post")
	}},
	{name: "register an author with 2 posts in a transaction", transaction: true, do: func(ctx context.Context, s compat.Store, _ int) error {
		_, err := s.Register(ctx, compat.Author{
			Name: fmt.Sprint("author ", names.Add(1)), Tags: []string{"a", "b"}, Scores: []int64{1, 2, 3},
			Posts: []compat.Post{{Title: "one"}, {Title: "two"}},
		})
		return err
	}},
}

// parts returns the library and the workload of a case.
func parts(c report.Case) (l library, w workload) {
	for _, l = range libraries {
		for _, w = range workloads {
			if c.Workload == strings.Join([]string{l.name, w.name}, ", ") {
				return l, w
			}
		}
	}
	panic("doors: no such case: " + c.Workload)
}
