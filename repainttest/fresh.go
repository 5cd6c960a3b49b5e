package repainttest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/explore"
)

// Fresh gives each schedule a fresh database: a plain goroutine calls reset before the schedule,
// and reset's statements aren't steps. reset may delete what earlier schedules have left, or make a
// database, for example by PostgreSQL's CREATE DATABASE … TEMPLATE. The summary says how long it
// takes. If reset fails, so does the test.
//
// [Emptied] returns such a function for databases that it knows.
func Fresh(reset func(ctx context.Context) error) Option {
	if reset == nil {
		return wrongOption("the option Fresh has no function to call: was the error of Emptied looked at?")
	}
	return setting(func(s *settings) { s.resets = append(s.resets, reset) })
}

// resetTime is how long a reset may take.
const resetTime = time.Minute

// refresh calls the function that gives the schedule a fresh database.
func (s *settings) refresh(ctx context.Context, r *recorder) error {
	if s.resets == nil {
		return nil
	}
	began := time.Now()
	defer func() { r.resetTook = time.Since(began) }()
	for _, reset := range s.resets {
		ctx, done := context.WithTimeout(ctx, resetTime)
		err := reset(ctx)
		done()
		if err != nil {
			return fmt.Errorf("the function of Fresh failed, so the schedule didn't run: %w", err)
		}
	}
	return nil
}

// A Query executes a statement without arguments and returns its rows as text. [Texts] makes one
// from a *sql.DB.
type Query = func(ctx context.Context, statement string) (rows [][]string, err error)

// Emptied returns a function for [Fresh]. That deletes all rows of the tables that exist now,
// restarts sequences, and executes the statements of fill. On PostgreSQL and MariaDB it takes one
// round trip, and one for each statement of fill. Emptied knows PostgreSQL, MariaDB and SQLite, and
// returns an error for other databases. The other errors are those of query.
//
// On PostgreSQL a superuser's deletes fire no triggers and check no foreign keys. Other users get
// TRUNCATE, which takes longer. Temporary tables and views, large objects, and everything outside
// tables stay.
func Emptied(ctx context.Context, query Query, fill ...string) (reset func(ctx context.Context) error, err error) {
	about := explore.Recognize(ctx, query, query)
	var all []string
	switch about.Server.(type) {
	case *explore.Postgres:
		all, err = emptyPostgres(ctx, query)
	case *explore.MariaDB:
		all, err = emptyMariaDB(ctx, query)
	case explore.Local:
		all, err = emptySQLite(ctx, query)
	default:
		return nil, fmt.Errorf("repainttest: Emptied can't empty this database, only PostgreSQL, MariaDB and SQLite: give Fresh a function of your own")
	}
	if err != nil {
		return nil, fmt.Errorf("repainttest: reading the database's tables: %w", err)
	}
	all = append(all, fill...)
	return func(ctx context.Context) error {
		for _, statement := range all {
			if _, err := query(ctx, statement); err != nil {
				return fmt.Errorf("emptying the database by %s: %w", explore.Short(statement), err)
			}
		}
		return nil
	}, nil
}

func emptyPostgres(ctx context.Context, query Query) ([]string, error) {
	tables, err := firstColumn(query(ctx, "select format('%I.%I', schemaname, tablename) from pg_tables"+
		" where schemaname <> 'information_schema' and schemaname !~ '^pg_' order by 1"))
	if err != nil || len(tables) == 0 {
		return nil, err
	}
	super, err := firstColumn(query(ctx, "select current_setting('is_superuser')"))
	if err != nil {
		return nil, err
	}
	if super[0] != "on" {
		return []string{"truncate " + strings.Join(tables, ", ") + " restart identity cascade"}, nil
	}
	sequences, err := firstColumn(query(ctx, "select format('%L, %s, false', format('%I.%I', schemaname, sequencename), start_value) from pg_sequences order by 1"))
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("do $reset$begin set local session_replication_role = replica; ")
	for _, t := range tables {
		fmt.Fprintf(&b, "delete from %s; ", t)
	}
	for _, s := range sequences {
		fmt.Fprintf(&b, "perform setval(%s); ", s)
	}
	b.WriteString("end$reset$")
	return []string{b.String()}, nil
}

func emptyMariaDB(ctx context.Context, query Query) ([]string, error) {
	tables, err := query(ctx, "select concat('`', replace(table_name, '`', '``'), '`'), auto_increment is not null from information_schema.tables"+
		" where table_schema = database() and table_type = 'BASE TABLE' order by 1")
	if err != nil || len(tables) == 0 {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("begin not atomic set foreign_key_checks = 0; ")
	for _, t := range tables {
		if t[1] == "1" { // only TRUNCATE has the numbers begin anew, and it takes longer
			fmt.Fprintf(&b, "truncate table %s; ", t[0])
		} else {
			fmt.Fprintf(&b, "delete from %s; ", t[0])
		}
	}
	b.WriteString("set foreign_key_checks = 1; end")
	return []string{b.String()}, nil
}

func emptySQLite(ctx context.Context, query Query) ([]string, error) {
	tables, err := firstColumn(query(ctx, "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name"))
	if err != nil {
		return nil, err
	}
	refers := map[string][]string{}
	for _, t := range tables {
		if refers[t], err = firstColumn(query(ctx, "select \"table\" from pragma_foreign_key_list("+literal(t)+")")); err != nil {
			return nil, err
		}
	}
	var all []string
	for len(tables) > 0 { // those first to which none of the others refers
		next := slices.IndexFunc(tables, func(t string) bool {
			return !slices.ContainsFunc(tables, func(o string) bool { return o != t && slices.Contains(refers[o], t) })
		})
		next = max(next, 0) // in a circle the database decides
		all = append(all, `delete from "`+strings.ReplaceAll(tables[next], `"`, `""`)+`"`)
		tables = slices.Delete(tables, next, next+1)
	}
	counts, err := firstColumn(query(ctx, "select count(*) from sqlite_master where name = 'sqlite_sequence'"))
	if err == nil && counts[0] != "0" {
		all = append(all, "delete from sqlite_sequence")
	}
	return all, err
}

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// firstColumn returns the first value of each row.
func firstColumn(rows [][]string, err error) ([]string, error) {
	var all []string
	for _, row := range rows {
		all = append(all, row[0])
	}
	return all, err
}

// Texts returns a [Query] that runs on a pool.
func Texts(pool *sql.DB) Query {
	return func(ctx context.Context, statement string) (all [][]string, err error) {
		rows, err := pool.QueryContext(ctx, statement)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		columns, err := rows.Columns()
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			row := make([]sql.NullString, len(columns))
			to := make([]any, len(columns))
			for i := range row {
				to[i] = &row[i]
			}
			if err := rows.Scan(to...); err != nil {
				return nil, err
			}
			texts := make([]string, len(columns))
			for i := range row {
				texts[i] = row[i].String
			}
			all = append(all, texts)
		}
		return all, rows.Err()
	}
}
