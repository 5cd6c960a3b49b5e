package compat

import (
	"context"
	"database/sql"
	"fmt"
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

var stores = map[string]func(*sql.DB) (Store, error){
	"gorm":               Gorm,
	"gorm that prepares": GormThatPrepares,
	"sqlx":               Sqlx,
	"bun":                Bun,
	"squirrel":           Squirrel,
}

// The same code is run by goroutines and by tasks of one loop, more of them than there are connections.
func TestStores(t *testing.T) {
	testserver.Postgres(t)
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			if name != "gorm that prepares" { // its cache has a goroutine that GORM never ends
				leakcheck.Test(t)
			}
			t.Run("goroutines", func(t *testing.T) {
				use(t, open, func(ctx context.Context, s Store) {
					var wg sync.WaitGroup
					for i := range 100 {
						wg.Go(func() { visit(t, ctx, s, i) })
					}
					wg.Wait()
				})
			})
			t.Run("tasks", func(t *testing.T) {
				use(t, open, func(ctx context.Context, s Store) {
					assert.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
						g := repaint.NewGroup(ctx)
						for i := range 500 {
							g.Go(func(ctx context.Context) error { visit(t, ctx, s, i); return nil })
						}
						return g.Wait()
					}))
				})
			})
		})
	}
}

// use opens a store, has it used, and looks at what is left.
func use(t *testing.T, open func(*sql.DB) (Store, error), users func(ctx context.Context, s Store)) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	under, err := pg.Open(testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	defer func() { assert.NoError(t, under.Close(ctx)) }()
	db := stdlib.OpenDB(under)
	defer db.Close()
	s, err := open(db)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(ctx))

	users(ctx, s)

	odd, err := s.Tagged(ctx, "odd")
	require.NoError(t, err)
	assert.Zero(t, odd, "authors with an odd number are deleted")
	var authors, posts int
	require.NoError(t, db.QueryRowContext(ctx, "select (select count(*) from authors), (select count(*) from posts)").Scan(&authors, &posts))
	assert.NotZero(t, authors)
	assert.Equal(t, 2*authors, posts)
	stats := under.Stats()
	assert.Equal(t, stats.Sessions, stats.IdleSessions, "every session has come back")
}

// visit is what one user does.
func visit(t *testing.T, ctx context.Context, s Store, i int) {
	name := fmt.Sprintf("author %d", i)
	tag := []string{"even", "odd"}[i%2]
	id, err := s.Register(ctx, name, []string{tag, "all"}, "b", "a")
	if !assert.NoError(t, err) {
		return
	}
	_, err = s.Register(ctx, name, []string{"twice"}, "c")
	if !assert.Error(t, err, "the name is taken") {
		return
	}
	a, err := s.Author(ctx, id)
	assert.NoError(t, err)
	assert.Equal(t, Author{Name: name, Tags: []string{tag, "all"}, Titles: []string{"a", "b"}}, a)
	assert.NoError(t, s.Rename(ctx, id, "renamed "+name))
	a, err = s.Author(ctx, id)
	assert.NoError(t, err)
	assert.Equal(t, "renamed "+name, a.Name)
	if i%2 == 1 {
		assert.NoError(t, s.Delete(ctx, id))
		_, err = s.Author(ctx, id)
		assert.Error(t, err)
	}
}
