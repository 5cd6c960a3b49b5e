package dbconform

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// These values are recognisable in any text. Databases shorten long values and join several. No
// time or duration that appears with them contains one of them.
const (
	secretText   = "xyzzy1"
	secretNumber = 1987654321
)

var tellsSecret = []string{"xyzzy", "198765432", "497813-"}

var errOwn = errors.New("of the application")

// badValue can't be sent, and its error shows the secret.
type badValue struct{}

func (badValue) Value() (driver.Value, error) {
	return nil, fmt.Errorf("%s: %w", secretText, errOwn)
}

var hiding = []test{
	{"no error, log line or event tells the value of a parameter", func(c *run) { tellsNoValue(c, false) }},
	{"no error, log line or event tells the value of a hidden parameter", func(c *run) { tellsNoValue(c, true) }},
	{"an event may still refuse with its own words", func(c *run) {
		for _, how := range []db.Option{db.HideParameters(), db.LogToken("")} {
			e := c.engine(how, db.OnEvents(db.Events{BeforeExecute: func(context.Context, *db.Execution) error { return errOwn }}))
			_, err := e.Exec(c.ctx, "select :a", named("a", secretText))
			require.ErrorIs(c, err, errOwn)
			require.ErrorContains(c, err, errOwn.Error())
			require.NotContains(c, err.Error(), secretText)
		}
	}},
	{"what is to be shown is shown", func(c *run) {
		e := c.engine(db.ShowParameters())
		table := c.items(1)
		_, err := e.Query(c.ctx, "select * from "+table+" where id = :n", named("n", badValue{}))
		require.ErrorContains(c, c.is(err, db.ErrParameter), secretText)
		_, err = db.One[int](c.ctx, e, "select value from "+table)
		require.ErrorContains(c, c.is(err, db.ErrScan), "value 1")
	}},
	{"a value that doesn't fit is told only if it is to be", func(c *run) {
		table := c.items(1)
		_, err := db.One[int](c.ctx, c.engine(), "select value from "+table)
		require.NotContains(c, c.is(err, db.ErrScan).Error(), "value 1")
		require.ErrorContains(c, err, "invalid syntax", "but what is wrong with it")
		_, err = db.One[uint8](c.ctx, c.engine(), "select id - 66 as v from "+table)
		require.NotContains(c, c.is(err, db.ErrScan).Error(), "-65")
		require.ErrorContains(c, err, "out of range")
	}},
}

// tellsNoValue runs statements that fail because of secret values, and looks for these values in
// errors, logs and events.
func tellsNoValue(c *run, hidden bool) {
	var told telling
	how := db.LogToken("") // no token
	if hidden {
		how = db.HideParameters()
	}
	e := c.engine(how, db.Log(slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelDebug}))), db.OnEvents(db.Events{
		BeforeExecute: func(_ context.Context, x *db.Execution) error { fmt.Fprintf(&told, "%+v\n", *x); return nil },
		AfterExecute:  func(_ context.Context, x *db.Execution) { fmt.Fprintf(&told, "%+v\n", *x) },
		Commit:        func(_ context.Context, x db.TxEvent) { fmt.Fprintf(&told, "%+v\n", x) },
		Rollback:      func(_ context.Context, x db.TxEvent) { fmt.Fprintf(&told, "%+v\n", x) },
		Error: func(_ context.Context, err *db.Error) error {
			fmt.Fprintf(&told, "%v %+v %#v %#v %q\n", err, err, err, err.Err, err.Hint)
			asJSON, jsonErr := json.Marshal(err)
			require.NoError(c, jsonErr)
			fmt.Fprintf(&told, "%s\n", asJSON)
			if hidden {
				fmt.Fprintf(&told, "%v %q %q\n", err.Params, err.Table, err.Column)
			}
			return nil
		},
	}))
	table := c.table("id integer primary key", "value varchar(20) not null unique", "n "+c.Small, "j "+c.JSON, "m "+c.Moment, "b "+c.Bool, "constraint dbconform_c check (n < 10)")
	c.exec(e, "insert into "+table+" (id, value, n) values (:id, :value, :n)", named("id", secretNumber), named("value", secretText), named("n", 1))

	type teller struct {
		query string
		args  []any
	}
	tellers := []teller{
		{"insert into " + table + " (id, value) values (:id, :v)", []any{named("id", 1), named("v", secretText)}},
		{"insert into " + table + " (id, value) values (:id, :v)", []any{named("id", secretNumber), named("v", "other")}},
		{"insert into " + table + " (id, value) values (:id, :v), (2, 'b')", []any{named("id", 2), named("v", secretText)}},
		{"insert into " + table + " (id, value) values (:id, :v)", []any{named("id", 3), named("v", strings.Repeat(secretText, 100))}},
		{"insert into " + table + " (id, value, n) values (3, 'x', :n)", []any{named("n", secretNumber)}},
		{"insert into " + table + " (id, value, n) values (3, 'x', :n)", []any{named("n", secretText)}},
		{"insert into " + table + " (id, value, n) values (3, 'x', :n)", []any{named("n", secretText+" for column "+secretText)}},
		{"insert into " + table + " (id, value, j) values (3, 'y', :j)", []any{named("j", `{"a": `+secretText)}},
		{"insert into " + table + " (id, value, m) values (3, 'z', :m)", []any{named("m", secretText)}},
		{"insert into " + table + " (id, value, m) values (3, 'z', :m)", []any{named("m", time.Date(497813, 1, 1, 18, 53, 13, 0, time.UTC))}},
		{"insert into " + table + " (id, value, b) values (3, 'w', :b)", []any{named("b", secretText)}},
		{"insert into " + table + " (id, value) values (:id, null)", []any{named("id", secretNumber+1)}},
		{"select * from " + table + " where n = :n", []any{named("n", []any{secretText})}},
		{"select * from " + table + " where n = :n", []any{named("n", struct{ A string }{secretText})}},
		{"select * from " + table + " where n = :n", []any{named("n", make(chan int)), map[string]any{"more": secretText}}},
		{"select * from " + table + " where n = :n", []any{named("n", uint64(math.MaxUint64)), named("more", secretText)}},
		{"select * from " + table + " where n in (:n)", []any{named("n", []any{1, []string{secretText}})}},
		{"select * from dbconform_nothing where a = :a", []any{named("a", secretText)}},
		{"select dbconform_nosuch(:a)", []any{named("a", secretText)}},
		{"selec :a", []any{named("a", secretText)}},
		{"select value from " + table + " where value = :a", []any{named("a", secretText)}}, // the value doesn't fit an int
	}
	if hidden { // otherwise a Valuer's own error text is shown
		tellers = append(tellers, teller{"select * from " + table + " where n = :n", []any{named("n", badValue{})}},
			teller{"select * from " + table + " where n in (:n)", []any{named("n", []any{1, badValue{}})}})
	}
	run := func(q db.Querier, query string, args []any) error {
		err := q.InTx(c.ctx, func(ctx context.Context, q *db.Tx) error { // a savepoint in a transaction
			_, err := q.Exec(ctx, query, args...)
			return err
		})
		if err == nil {
			_, err = db.All[int](c.ctx, q, query, args...)
		}
		return err
	}
	failed := 0
	check := func(err error) {
		if err != nil {
			failed++
			fmt.Fprintf(&told, "%v %+v\n", err, err)
		}
	}
	for _, h := range tellers {
		_, err := e.Exec(c.ctx, h.query, h.args...)
		check(err)
		check(e.QueryRow(c.ctx, h.query, h.args...).Scan(new(int)))
		check(run(e, h.query, h.args))
		conn := c.conn(e)
		check(run(conn, h.query, h.args))
		c.close(conn)
		check(e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			check(run(tx, h.query, h.args))
			_, err := db.One[struct{ Value int }](ctx, tx, h.query, h.args...)
			check(err)
			_, err = tx.Exec(ctx, "select 1") // in a failed transaction, this error shows the cause
			check(err)
			return errOwn
		}))
		rows, err := e.Stream(c.ctx, h.query, h.args...)
		check(err)
		if err == nil {
			for _, err := range db.Each[int](rows) {
				check(err)
			}
		}
		_, err = db.ExecMany(c.ctx, e, h.query, [][]any{h.args, h.args})
		check(err)
		_, err = db.QueryMany[int](c.ctx, e, h.query, [][]any{h.args, h.args})
		check(err)
		told.nothingOf(c, tellsSecret, h.query)
	}
	require.Greater(c, failed, 5*len(tellers), "they didn't fail")

	_, err := e.Query(c.ctx, "select * from "+table+" where n = :n", named("n", badValue{}))
	require.ErrorIs(c, err, errOwn, "who knows what to ask for finds it")
	require.ErrorIs(c, err, db.ErrParameter)
	require.ErrorContains(c, err, ":n")
	_, err = e.Exec(c.ctx, "insert into "+table+" (id, value) values (:id, :v)", named("id", 1), named("v", secretText))
	require.NotEmpty(c, c.is(err, db.ErrUnique).Code)
	_, err = e.Exec(c.ctx, "insert into "+table+" (id, value) values (1, null)")
	require.NotContains(c, c.is(err, db.ErrNotNull).Error(), "isn't shown", "there is nothing to hide")
}

// telling collects everything that errors, logs and events show.
type telling struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *telling) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

// nothingOf fails the case if one of the words has appeared since the last call.
func (t *telling) nothingOf(c *run, words []string, of string) {
	c.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.text.String()
	t.text.Reset()
	for line := range strings.Lines(text) {
		for _, w := range words {
			if strings.Contains(strings.ToLower(line), w) {
				c.Fatalf("of %q it was told: %s", of, line)
			}
		}
	}
}
