package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A database is what the contestants have in common.
type database interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// A workload is what each caller does again and again; i is another number each time.
type workload struct {
	name string
	do   func(ctx context.Context, db database, i int) error
}

const schema = `create table world (id int primary key, number int not null);
	insert into world select i, i * 7 from generate_series(1, 10000) i;
	create table written (id bigserial primary key, number int not null);
	analyze world`

var workloads = []workload{
	{"point select", point},
	{"insert returning, select back", insertAndSelect},
	{"1 of 1000 sleeps 50 ms", func(ctx context.Context, db database, i int) error {
		if i%1000 == 999 {
			return db.QueryRow(ctx, "select 1 from pg_sleep(0.05)").Scan(new(int))
		}
		return point(ctx, db, i)
	}},
	{"update", func(ctx context.Context, db database, i int) error {
		tag, err := db.Exec(ctx, "update world set number = $2 where id = $1", 1+i%10_000, i)
		if err == nil && tag.RowsAffected() != 1 {
			err = fmt.Errorf("%s", tag)
		}
		return err
	}},
	{"100 rows", func(ctx context.Context, db database, _ int) error { return many(ctx, db, 100) }},
	{"10,000 rows", func(ctx context.Context, db database, _ int) error { return many(ctx, db, 10_000) }},
}

func point(ctx context.Context, db database, i int) error {
	var id, number int
	err := db.QueryRow(ctx, "select id, number from world where id = $1", 1+i%10_000).Scan(&id, &number)
	if err == nil && id != 1+i%10_000 {
		err = fmt.Errorf("asked for %d, got %d", 1+i%10_000, id)
	}
	return err
}

func insertAndSelect(ctx context.Context, db database, i int) error {
	var id int64
	var number int
	err := db.QueryRow(ctx, "insert into written (number) values ($1) returning id", i).Scan(&id)
	if err == nil {
		err = db.QueryRow(ctx, "select number from written where id = $1", id).Scan(&number)
	}
	if err == nil && number != i {
		err = fmt.Errorf("wrote %d, read %d", i, number)
	}
	return err
}

func many(ctx context.Context, db database, n int) error {
	rows, err := db.Query(ctx, "select id, number from world where id <= $1", n)
	if err != nil {
		return err
	}
	var id, number, got int
	_, err = pgx.ForEachRow(rows, []any{&id, &number}, func() error { got++; return nil })
	if err == nil && got != n {
		err = fmt.Errorf("%d rows, not %d", got, n)
	}
	return err
}
