package mysql_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/mysql"
)

func Example() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "mysql://app:secret@localhost/app?tls=verify")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)

	_, err = engine.Exec(ctx, "insert into users(name) values (:name)", db.Named("name", "ada"))
	if errors.Is(err, db.ErrUnique) {
		fmt.Println("she is there already")
	}
}

func Example_unknownOption() {
	_, err := db.Open(context.Background(), "mysql://app:secret@localhost/app?tsl=verify")
	fmt.Println(errors.Is(err, db.ErrUnknownOption))
	// Output: true
}

// A Dialect writes texts without a database.
func ExampleDialect() {
	u := db.Upsert{Table: "visits", Columns: []string{"page", "n"}, Key: []string{"page"}, Add: []string{"n"}}
	fmt.Println(db.UpsertText(mysql.Dialect{}, u))
	// Output: insert into `visits` (`page`, `n`) values (:page, :n) on duplicate key update `n` = `visits`.`n` + values(`n`) <nil>
}
