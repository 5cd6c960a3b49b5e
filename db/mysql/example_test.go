package mysql_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/mysql"
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
