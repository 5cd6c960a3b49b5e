package db_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/db"
)

// A function that takes a Reader can't write, whatever the statement does.
func ExampleReader() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	report := func(reader *db.Reader, query string) {
		n, err := db.Scalar[int](ctx, reader, query)
		fmt.Println(n, errors.Is(err, db.ErrReadOnly))
	}
	report(engine.Reader(), "select count(*) from users")
	report(engine.Reader(), "insert into users(name) values ('ada') returning id")
	// Output:
	// 0 false
	// 0 true
}

// A Loader's batches only read, so they can go to a Reader, like everything that takes a Querier.
func ExampleEngine_Reader() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace'), ('barbara')")

	reader := engine.Reader()
	names := coop.NewLoader(func(ctx context.Context, ids []int) (map[int]string, error) {
		return db.Map[int, string](ctx, reader, "select id, name from users where id in (:ids)", db.Named("ids", ids))
	})
	repaint.Run(ctx, func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		found := make([]string, 3)
		for i := range found {
			g.Go(func(ctx context.Context) (err error) {
				found[i], err = names.Load(ctx, i+1)
				return err
			})
		}
		err := g.Wait()
		fmt.Println(found, err)
		return nil
	})
	_, err := reader.Exec(ctx, "delete from users")
	fmt.Println(errors.Is(err, db.ErrReadOnly))
	// Output:
	// [ada grace barbara] <nil>
	// true
}
