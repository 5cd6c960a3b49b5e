package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A database has the methods that the contestants in Go have in common.
type database interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// A workload is what each caller does again and again. i is another number each time. Contestants
// for which a workload has no function don't take part.
type workload struct {
	name    string
	callers []int
	do      func(ctx context.Context, db database, i int) error
	batch   func(ctx context.Context, db database, i int) error // batchSize times the same in one batch, or in two
	blast   blast
	script  string // for pgbench: random numbers, an empty line, and the statements that use them; ID is the id of a row
	reads   bool   // whether a Reader can do it
	chain   bool   // whether pgbench can do many of them in a pipeline
	python  string // what peer.py calls it
}

const schema = `create table world (id int primary key, number int not null);
	insert into world select i, i * 7 from generate_series(1, 10000) i;
	create table written (id bigserial primary key, number int not null);
	analyze world`

const (
	pointText  = "select id, number from world where id = $1"
	manyText   = "select id, number from world where id <= $1"
	updateText = "update world set number = $2 where id = $1"
	insertText = "insert into written (number) values ($1) returning id"
	backText   = "select number from written where id = $1"
)

var workloads = []workload{
	{
		name: "point select", callers: []int{1, 32, 256}, do: point, batch: pointBatch, reads: true,
		blast:  blast{text: pointText, args: func(i int) []int { return []int{id(i)} }, rows: 1},
		script: "\\set id ID\n\nselect id, number from world where id = :id;\n", chain: true, python: "point",
	},
	{
		name: "insert returning, select back", callers: []int{1, 40, 256}, do: insertAndSelect, batch: insertAndSelectBatch,
		script: "\\set number random(1, 10000)\n\ninsert into written (number) values (:number) returning id \\gset\nselect number from written where id = :id;\n", python: "insert",
	},
	{
		name: "1 of 1000 sleeps 50 ms", callers: []int{1, 32, 256}, do: mostlyPoint, reads: true,
		script: "\\set id ID\n\\set slow random(1, 1000) = 1\n\n\\if :slow\nselect 1 from pg_sleep(0.05);\n\\else\nselect id, number from world where id = :id;\n\\endif\n",
	},
	{
		name: "update", callers: []int{1, 32, 256}, do: update, batch: updateBatch,
		blast:  blast{text: updateText, args: func(i int) []int { return []int{id(i), i} }},
		script: "\\set id ID\n\\set number random(1, 10000)\n\nupdate world set number = :number where id = :id;\n", chain: true,
	},
	{
		name: "100 rows", callers: []int{1, 32, 256}, do: many(100), chain: true, reads: true,
		blast:  blast{text: manyText, args: func(int) []int { return []int{100} }, rows: 100},
		script: "\\set id 100\n\nselect id, number from world where id <= :id;\n",
	},
	{
		name: "10,000 rows", callers: []int{1, 32, 256}, do: many(10_000), reads: true,
		blast:  blast{text: manyText, args: func(int) []int { return []int{10_000} }, rows: 10_000},
		script: "\\set id 10000\n\nselect id, number from world where id <= :id;\n",
	},
}

// id returns the id of a row of world.
func id(i int) int { return 1 + i%10_000 }

func point(ctx context.Context, db database, i int) error {
	return scanPoint(db.QueryRow(ctx, pointText, id(i)), id(i))
}

func scanPoint(row pgx.Row, want int) error {
	var id, number int
	err := row.Scan(&id, &number)
	if err == nil && id != want {
		err = fmt.Errorf("asked for %d, got %d", want, id)
	}
	return err
}

func mostlyPoint(ctx context.Context, db database, i int) error {
	if i%1000 == 999 {
		return db.QueryRow(ctx, "select 1 from pg_sleep(0.05)").Scan(new(int))
	}
	return point(ctx, db, i)
}

func update(ctx context.Context, db database, i int) error {
	tag, err := db.Exec(ctx, updateText, id(i), i)
	return one(tag, err)
}

// one returns an error for anything but one row.
func one(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%s", tag)
	}
	return err
}

func insertAndSelect(ctx context.Context, db database, i int) error {
	var id int64
	if err := db.QueryRow(ctx, insertText, i).Scan(&id); err != nil {
		return err
	}
	return scanBack(db.QueryRow(ctx, backText, id), i)
}

func scanBack(row pgx.Row, want int) error {
	var number int
	err := row.Scan(&number)
	if err == nil && number != want {
		err = fmt.Errorf("wrote %d, read %d", want, number)
	}
	return err
}

func many(n int) func(ctx context.Context, db database, i int) error {
	return func(ctx context.Context, db database, _ int) error {
		rows, err := db.Query(ctx, manyText, n)
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
}
