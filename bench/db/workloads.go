package main

import (
	"context"
	"fmt"
)

// A side is a library on a driver, and how it is used. All callers may call its methods at once. i
// is another number in each call.
type side interface {
	// point reads a row by its key.
	point(ctx context.Context, i int) error
	// insertAndSelect inserts a row, gets its key, and reads it by that.
	insertAndSelect(ctx context.Context, i int) error
	// transaction reads a row, changes it, and inserts another.
	transaction(ctx context.Context, i int) error
	// hundred reads 100 rows into structs.
	hundred(ctx context.Context, i int) error
	// executeMany inserts many rows, all or none.
	executeMany(ctx context.Context, i int) error
	// exec is for statements that must be executed before a measurement.
	exec(ctx context.Context, text string) error
	close(ctx context.Context) error
}

// A workload is what each caller does again and again.
type workload struct {
	name    string
	callers []int
	do      func(s side, ctx context.Context, i int) error
	// byCall makes the contestants call in turns, instead of each for a while: for small
	// differences.
	byCall bool
	empty  bool   // whether to empty the table bulk before each round
	python string // what peer.py calls it
}

const (
	pointSelect = "point select"
	insertBack  = "insert returning, select back"
	transaction = "transaction of 3 statements"
	hundredRows = "100 rows into structs"
	executeMany = "executemany of 10,000 rows"
	byCall      = ", call by call"
)

var workloads = []workload{
	{name: pointSelect, callers: []int{1, 256}, do: side.point},
	{name: insertBack, callers: []int{1, 40, 256}, do: side.insertAndSelect, python: "insert"},
	{name: transaction, callers: []int{1, 32, 256}, do: side.transaction},
	{name: hundredRows, callers: []int{1}, do: side.hundred},
	{name: executeMany, callers: []int{1}, do: side.executeMany, empty: true},
	{name: pointSelect + byCall, callers: []int{1}, do: side.point, byCall: true},
	{name: insertBack + byCall, callers: []int{1}, do: side.insertAndSelect, byCall: true},
	{name: transaction + byCall, callers: []int{1}, do: side.transaction, byCall: true},
	{name: hundredRows + byCall, callers: []int{1}, do: side.hundred, byCall: true},
}

// world is the table that is read.
type world struct {
	ID     int64  `db:"id"`
	Number int64  `db:"number"`
	Name   string `db:"name"`
}

func (w world) name() string { return w.Name }

// bulk is the table into which rows are written by the thousands.
type bulk struct {
	Number int64  `db:"number"`
	Name   string `db:"name"`
}

const (
	worldRows = 10_000
	perText   = 1000 // rows in a statement, for libraries that don't decide that themselves
)

// bulkRows returns the rows of executeMany.
var bulkRows = func() []bulk {
	rows := make([]bulk, 10_000)
	for i := range rows {
		rows[i] = bulk{int64(i), fmt.Sprint("name ", i)}
	}
	return rows
}()

// id returns the id of a row of world.
func id(i int) int { return 1 + i%worldRows }

func checkPoint(w world, i int) error {
	if w.ID != int64(id(i)) || w.Name == "" {
		return fmt.Errorf("asked for %d, got %+v", id(i), w)
	}
	return nil
}

func checkBack(number int64, i int) error {
	if number != int64(i) {
		return fmt.Errorf("wrote %d, read %d", i, number)
	}
	return nil
}

// checkHundred gets rows of whatever type, and the name of one.
func checkHundred[T any](rows []T, name func(T) string) error {
	if len(rows) != 100 || name(rows[99]) == "" {
		return fmt.Errorf("%d rows, not 100, or without names", len(rows))
	}
	return nil
}

func checkMany(affected int64) error {
	if affected != int64(len(bulkRows)) {
		return fmt.Errorf("%d rows inserted, not %d", affected, len(bulkRows))
	}
	return nil
}

// texts are the statements as database/sql's drivers want them.
type texts struct {
	point, insert, back, number, update, hundred, many string
}

var questionTexts = texts{
	point:   "select id, number, name from world where id = ?",
	insert:  "insert into written (number) values (?) returning id",
	back:    "select number from written where id = ?",
	number:  "select number from world where id = ?",
	update:  "update world set number = number + 1 where id = ?",
	hundred: "select id, number, name from world where id <= ?",
	many:    "insert into bulk (number, name) values " + manyValues(func(int) string { return "?" }),
}

var dollarTexts = texts{
	point:   "select id, number, name from world where id = $1",
	insert:  "insert into written (number) values ($1) returning id",
	back:    "select number from written where id = $1",
	number:  "select number from world where id = $1",
	update:  "update world set number = number + 1 where id = $1",
	hundred: "select id, number, name from world where id <= $1",
	many:    "insert into bulk (number, name) values " + manyValues(func(n int) string { return fmt.Sprint("$", n) }),
}

// manyValues has perText rows of two parameters, which are counted from 1.
func manyValues(parameter func(n int) string) string {
	var s string
	for i := range perText {
		if i > 0 {
			s += ", "
		}
		s += "(" + parameter(2*i+1) + ", " + parameter(2*i+2) + ")"
	}
	return s
}

// manyArgs are those of the n-th statement.
func manyArgs(n int) []any {
	args := make([]any, 0, 2*perText)
	for _, row := range bulkRows[n*perText : (n+1)*perText] {
		args = append(args, row.Number, row.Name)
	}
	return args
}
