package db_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed1239206e/repaint/db"
)

// If the database has RETURNING, an upsert returns each row as it is afterwards.
func ExampleQueryUpsert() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	if _, err := engine.Exec(ctx, "create table visits(page text primary key, n integer not null)"); err != nil {
		log.Fatal(err)
	}
	u := db.Upsert{Table: "visits", Columns: []string{"page", "n"}, Key: []string{"page"}, Add: []string{"n"}, Returning: []string{"n"}}
	for range 2 {
		counts, err := db.QueryUpsert[int](ctx, engine, u, []db.Args{{"page": "/", "n": 1}, {"page": "/help", "n": 10}})
		fmt.Println(counts, err)
	}
	// Output:
	// [1 10] <nil>
	// [2 20] <nil>
}

// (*sql.Conn).Raw lends the connection as a VirtualConn.
func ExampleVirtualConn() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	conn, err := engine.SQL().Conn(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		own, err := c.(*db.VirtualConn).Conn(ctx)
		if err != nil {
			return err
		}
		_, err = own.Exec(ctx, "insert into users(name) values (:name)", db.Args{"name": "raw"})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Scalar[int](ctx, engine, "select count(*) from users where name = 'raw'"))
	// Output: 1 <nil>
}

// Rows of a query through database/sql are read as they arrive.
func ExampleStreamSQL() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	rows, err := engine.SQL().QueryContext(db.StreamSQL(ctx), "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select i from n")
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	sum := 0
	for rows.Next() {
		var i int
		if err := rows.Scan(&i); err != nil {
			log.Fatal(err)
		}
		sum += i
	}
	fmt.Println(sum, rows.Err())
	// Output: 5000050000 <nil>
}
