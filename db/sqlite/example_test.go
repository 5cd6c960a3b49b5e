package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/sqlite"
)

// Any driver of database/sql for SQLite will do; this example takes the default one.
func ExampleOpenDB() {
	ctx := context.Background()
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	engine, err := sqlite.OpenDB(ctx, pool)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	word, err := db.Scalar[string](ctx, engine, "select 'hello'")
	fmt.Println(word, err)
	// Output: hello <nil>
}

func ExampleDialect() {
	ctx := context.Background()
	// The package registers its Dialect, so the URL is enough.
	engine, err := db.Open(ctx, "sqlite://?busy_timeout=10s&foreign_keys=off")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	fmt.Println(engine.URL(), engine.Dialect().Name())
	// Output: sqlite://?busy_timeout=10s&foreign_keys=off sqlite
}

func ExampleBackup() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	if _, err := engine.Exec(ctx, "create table t(v); insert into t values ('kept')"); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "backup")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "copy.db")
	err = sqlite.Backup(ctx, engine, file, func(copied, pages int) { fmt.Println(copied, "of", pages, "pages") })
	if err != nil {
		log.Fatal(err)
	}
	copied, err := db.Open(ctx, "sqlite:///"+file+"?mode=ro")
	if err != nil {
		log.Fatal(err)
	}
	defer copied.Close(ctx)
	fmt.Println(db.Scalar[string](ctx, copied, "select v from t"))
	// Output:
	// 2 of 2 pages
	// kept <nil>
}
