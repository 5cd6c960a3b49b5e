package compat

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

func TestMain(m *testing.M) { testserver.Main(m) }

type opener = func(Doors) (Store, error)

var stores = map[string]opener{
	"gorm":               Gorm,
	"gorm that prepares": GormThatPrepares,
	"bun":                Bun,
	"ent":                Ent,
	"sqlx":               Sqlx,
	"sqlc for pgx":       SqlcPgx,
	"sqlc":               SqlcSQL,
	"pgxscan":            Pgxscan,
	"sqlscan":            Sqlscan,
	"squirrel":           Squirrel,
}

// Goroutines and tasks of one loop run the same code. There are more of them than connections.
func TestStores(t *testing.T) {
	testserver.Postgres(t)
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			if name != "gorm that prepares" { // its cache starts a goroutine that GORM never ends
				leakcheck.Test(t)
			}
			testStore(t, open, postgresDoors)
		})
	}
}

// postgresDoors opens a database of the test's own.
func postgresDoors(t *testing.T) Doors {
	under, err := pg.Open(testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	db := stdlib.OpenDB(under)
	t.Cleanup(func() {
		assert.NoError(t, db.Close())
		assert.Eventually(t, func() bool {
			stats := under.Stats()
			return stats.Sessions == stats.IdleSessions
		}, time.Minute, time.Millisecond, "every session comes back")
		assert.NoError(t, under.Close(context.Background()))
	})
	return Doors{SQL: db, Pgx: under, Dialect: "postgres"}
}

// testStore lets goroutines use a store, and then tasks.
func testStore(t *testing.T, open opener, doors func(*testing.T) Doors) {
	t.Run("goroutines", func(t *testing.T) {
		use(t, open, doors(t), func(ctx context.Context, s Store) {
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() { visit(t, ctx, s, i) })
			}
			wg.Wait()
		})
	})
	t.Run("tasks", func(t *testing.T) {
		use(t, open, doors(t), func(ctx context.Context, s Store) {
			assert.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				for i := range 500 {
					g.Go(func(ctx context.Context) error { visit(t, ctx, s, i); return nil })
				}
				return g.Wait()
			}))
		})
	})
}

// use opens a store, lets users work on it, and checks what they leave behind.
func use(t *testing.T, open opener, d Doors, users func(ctx context.Context, s Store)) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s, err := open(d)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(ctx))
	if s, ok := s.(io.Closer); ok {
		defer func() { assert.NoError(t, s.Close()) }()
	}

	users(ctx, s)

	odd, err := s.Tagged(ctx, "odd")
	require.NoError(t, err)
	assert.Zero(t, odd, "authors with an odd number are deleted")
	even, err := s.Tagged(ctx, "even")
	require.NoError(t, err)
	assert.NotZero(t, even)
	var authors, posts int
	require.NoError(t, d.SQL.QueryRowContext(ctx, "select (select count(*) from authors), (select count(*) from posts)").Scan(&authors, &posts))
	assert.Equal(t, even, authors)
	assert.Equal(t, 3*authors, posts)
}

// visit is the work of one user.
func visit(t *testing.T, ctx context.Context, s Store, i int) {
	want := Author{
		Name:   fmt.Sprintf("author %d", i),
		Tags:   []string{[]string{"even", "odd"}[i%2], "all"},
		Scores: []int64{int64(i), -1},
	}
	given := want
	given.Posts = []Post{{Title: "b"}, {Title: "a"}}
	want.Posts = []Post{{"a", "post-a"}, {"b", "post-b"}}
	id, err := s.Register(ctx, given)
	if !assert.NoError(t, err) {
		return
	}
	_, err = s.Register(ctx, given)
	if !assert.Error(t, err, "the name is taken") {
		return
	}
	a, err := s.Author(ctx, id)
	assert.NoError(t, err)
	assert.Equal(t, want, a)
	assert.NoError(t, s.AddPost(ctx, id, "c"))
	want.Posts = append(want.Posts, Post{"c", "post-c"})
	want.Name = "renamed " + want.Name
	assert.NoError(t, s.Rename(ctx, id, want.Name))
	a, err = s.Author(ctx, id)
	assert.NoError(t, err)
	assert.Equal(t, want, a)
	if i%2 == 1 {
		assert.NoError(t, s.Delete(ctx, id))
		_, err = s.Author(ctx, id)
		assert.Error(t, err)
	}
}
