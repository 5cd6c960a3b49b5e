package pg_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"
)

// The examples need a server, so they aren't run by themselves: TestExamples runs them where there
// is one, and compares what they print with their last comment.

// exampleURL is where the examples find their database.
var exampleURL string

// withDB opens the database, calls fn, and closes it.
func withDB(fn func(ctx context.Context, db *pg.DB) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := pg.Open(exampleURL)
	if err == nil {
		err = errors.Join(fn(ctx, db), db.Close(ctx))
	}
	if err != nil {
		fmt.Println(err)
	}
}

// Many tasks, each written as if it were alone, share the lanes. Their statements travel together.
func Example() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			squares := make([]int, 1000)
			for i := range squares {
				g.Go(func(ctx context.Context) error {
					return db.QueryRow(ctx, "select $1::int * $1::int", i).Scan(&squares[i])
				})
			}
			if err := g.Wait(); err != nil {
				return err
			}
			fmt.Println(squares[3], squares[30], squares[300])
			return nil
		})
	})
	// Prints: 9 900 90000
}

func ExampleParseConfig() {
	c, err := pg.ParseConfig("host=db.example user=me password=secret dbname=app pool_lanes=8")
	fmt.Println(c, err)
	_, err = pg.ParseConfig("postgres://me:secret@db.example/app?pipeline=sometimes")
	fmt.Println(err)
	// Output:
	// postgres://me@db.example:5432/app?pool_lanes=8&pool_sessions=16 <nil>
	// pg: the connection string: pipeline=sometimes: want on or off
}

func ExampleDB_Query() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		type planet struct {
			Name  string
			Moons int
		}
		rows, err := db.Query(ctx, "select * from (values ('Earth', 1), ('Mars', 2)) as planets (name, moons) where moons >= $1", 1)
		if err != nil {
			return err
		}
		planets, err := pgx.CollectRows(rows, pgx.RowToStructByName[planet])
		fmt.Println(planets)
		return err
	})
	// Prints: [{Earth 1} {Mars 2}]
}

func ExampleDB_Begin() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			// BEGIN travels with this statement.
			if _, err := tx.Exec(ctx, "create temp table stars (name text) on commit drop"); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, "insert into stars values ($1), ($2)", "Sirius", "Vega")
			fmt.Println(tag)
			return err
		})
	})
	// Prints: INSERT 0 2
}

func ExampleDB_SendBatch() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		b := new(pgx.Batch)
		b.Queue("select 1 + 1").QueryRow(func(row pgx.Row) error {
			var n int
			err := row.Scan(&n)
			fmt.Println(n)
			return err
		})
		b.Queue("select 1 / $1::int", 0)
		err := db.SendBatch(ctx, b).Close()
		fmt.Println(err != nil)
		return nil
	})
	// Prints: true
}

// Queries of a Reader share the server's transactions. An error concerns only its own query.
func ExampleDB_Reader() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		reader := db.Reader()
		return repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			halves := make([]int, 100)
			for i := range halves {
				g.Go(func(ctx context.Context) error {
					err := reader.QueryRow(ctx, "select 100 / $1::int", i).Scan(&halves[i])
					var failed *pgconn.PgError
					if i == 0 && errors.As(err, &failed) {
						fmt.Println(failed.Message)
						return nil
					}
					return err
				})
			}
			if err := g.Wait(); err != nil {
				return err
			}
			fmt.Println(halves[1], halves[2], halves[50])
			_, err := reader.Exec(ctx, "create table t (id int)")
			var refused *pgconn.PgError
			fmt.Println(errors.As(err, &refused) && refused.Code == "25006")
			return nil
		})
	})
	// Prints: division by zero
	// 100 50 2
	// true
}

// A statement that leaves state behind on its connection needs a session.
func ExampleDB_Acquire() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		_, err := db.Exec(ctx, "set statement_timeout to '3s'")
		fmt.Println(errors.Is(err, pg.ErrRefusedOnLane))

		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		if _, err := s.Exec(ctx, "set statement_timeout to '3s'"); err != nil {
			return err
		}
		var timeout string
		err = s.QueryRow(ctx, "show statement_timeout").Scan(&timeout)
		fmt.Println(timeout)
		return err
	})
	// Prints:
	// true
	// 3s
}

// The red view returns futures. All three are on their way before the first wait.
func ExampleDB_Async() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			one := db.Async().QueryRow(ctx, "select 'one'")
			two := db.Async().QueryRow(ctx, "select 'two'")
			three := db.Async().QueryRow(ctx, "select 'three'")
			for _, future := range []*loop.Future[pgx.Row]{one, two, three} {
				row, err := repaint.Await(ctx, future)
				if err != nil {
					return err
				}
				var text string
				if err := row.Scan(&text); err != nil {
					return err
				}
				fmt.Println(text)
			}
			return nil
		})
	})
	// Prints:
	// one
	// two
	// three
}

// A deadline ends the statement, and leaves the connection as it was.
func ExampleDB_Exec_deadline() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		if err := db.Ping(ctx); err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err := db.Exec(limited, "select pg_sleep(60)")
		fmt.Println(errors.Is(err, context.DeadlineExceeded))
		err = db.Ping(ctx)
		fmt.Println("connections lost:", db.Stats().Lost)
		return err
	})
	// Prints:
	// true
	// connections lost: 0
}

// A large result is read as it comes, and left early.
func ExampleDB_Stream() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		rows, err := db.Stream(ctx, "select generate_series(1, 1000000000)")
		if err != nil {
			return err
		}
		defer rows.Close()
		for n := 0; rows.Next() && n < 3; {
			if err := rows.Scan(&n); err != nil {
				return err
			}
			fmt.Println(n)
		}
		return rows.Err()
	})
	// Prints: 1
	// 2
	// 3
}

func ExampleDB_CopyFrom() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		if _, err := db.Exec(ctx, "create table colours (id int, name text)"); err != nil {
			return err
		}
		n, err := db.CopyFrom(ctx, pgx.Identifier{"colours"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{1, "red"}, {2, "blue"}}))
		if err != nil {
			return err
		}
		fmt.Println(n, "rows")
		_, err = db.CopyTo(ctx, os.Stdout, "copy colours to stdout csv")
		return err
	})
	// Prints: 2 rows
	// 1,red
	// 2,blue
}

func ExampleDB_CopyOut() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		for row, err := range db.CopyOut(ctx, "copy (values (1, 'red'), (2, 'blue')) to stdout csv") {
			if err != nil {
				return err
			}
			fmt.Printf("%q\n", row)
		}
		return nil
	})
	// Prints: "1,red\n"
	// "2,blue\n"
}

func ExampleListener() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		l, err := db.Listen(ctx, "news")
		if err != nil {
			return err
		}
		defer l.Close()
		if err := db.Notify(ctx, "news", "it works"); err != nil {
			return err
		}
		for n, err := range l.All(ctx) {
			if err != nil {
				return err
			}
			if n.Missed {
				continue // read everything again
			}
			fmt.Println(n.Channel, n.Payload)
			break
		}
		return nil
	})
	// Prints: news it works
}

func ExampleTimeout() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		_, err := db.Exec(ctx, "select pg_sleep($1)", pg.Timeout(10*time.Millisecond), 30.0)
		var pgErr *pgconn.PgError
		fmt.Println(errors.As(err, &pgErr) && pgErr.Code == "57014")
		return nil
	})
	// Prints: true
}

func ExampleTx_Cursor() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			c, err := tx.(*pg.Tx).Cursor(ctx, "select generate_series(1, 5)")
			if err != nil {
				return err
			}
			for {
				rows, err := c.Fetch(ctx, 2)
				if err != nil {
					return err
				}
				numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
				if err != nil || len(numbers) == 0 {
					return err
				}
				fmt.Println(numbers)
			}
		})
	})
	// Prints: [1 2]
	// [3 4]
	// [5]
}

func ExampleSession_Prepare() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		if _, err := s.Prepare(ctx, "double", "select 2 * $1::int"); err != nil {
			return err
		}
		var n int
		err = s.QueryRow(ctx, "double", 21).Scan(&n)
		fmt.Println(n)
		return err
	})
	// Prints: 42
}

// The database's own types: a composite is a struct, and so is a row of a table.
func ExampleDB_LoadTypes() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		_, err := db.Exec(ctx, "create type colour as enum ('red', 'blue'); create type pixel as (x int, y int, colour colour)")
		if err != nil {
			return err
		}
		if err := db.LoadTypes(ctx, "pixel"); err != nil { // and the types that it consists of
			return err
		}
		type pixel struct {
			X, Y   int
			Colour string
		}
		var last []pixel
		err = db.QueryRow(ctx, "select ($1::pixel[])[2:]", []pixel{{1, 2, "red"}, {3, 4, "blue"}}).Scan(&last)
		fmt.Println(last)
		return err
	})
	// Prints: [{3 4 blue}]
}

func ExampleBatchError() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		b := new(pgx.Batch)
		for _, divisor := range []int{2, 1, 0} {
			b.Queue("select 10 / $1::int", divisor)
		}
		var which *pg.BatchError
		if err := db.SendBatch(ctx, b).Close(); errors.As(err, &which) {
			fmt.Println(which.Index, b.QueuedQueries[which.Index].Arguments)
		}
		return nil
	})
	// Prints: 2 [0]
}

// A session that may be in a bad state is closed, and gets no other owner.
func ExampleSession_Close() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		if err := s.Close(ctx); err != nil {
			return err
		}
		fmt.Println(errors.Is(s.Ping(ctx), pg.ErrClosed))
		return nil
	})
	// Prints: true
}
