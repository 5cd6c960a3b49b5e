package gauge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/sqltext"
)

// A workload is what each caller does again and again.
type workload struct {
	name   string
	steps  []step
	tx     bool // the steps are a transaction
	writes bool
}

// A step is one statement.
type step struct {
	text  string   // with the database's own placeholders
	named string   // with :p1, :p2, as package db has them
	names []string // p1, p2
	rows  bool     // whether it returns rows
	args  func(i int) []any
}

const (
	ownRows   = 10_000 // that the table of the built-in workloads has
	forbidden = sqltext.ControlsTx | sqltext.CopiesIn | sqltext.CopiesOut | sqltext.ForTx | sqltext.OnlyState
	changes   = sqltext.Writes | sqltext.RunsCode | sqltext.CommitsItself | sqltext.LeavesState | sqltext.Sticks | sqltext.Redefines | sqltext.EndsTx
)

// workloads returns the workloads to measure.
func (o *Options) workloads(ctx context.Context, d *database) ([]*workload, error) {
	if o.SQL != "" {
		w, err := o.own(ctx, d)
		if err != nil {
			return nil, err
		}
		return []*workload{w}, nil
	}
	if d.writable {
		return append(d.reads, d.writes...), nil
	}
	return d.reads, nil
}

// own returns the workload of the user's statement, or an error if that must not be executed.
func (o *Options) own(ctx context.Context, d *database) (*workload, error) {
	all := d.language.Split(o.SQL)
	if len(all) != 1 {
		return nil, usagef("--sql must have one statement, but has %d", len(all))
	}
	verdict := d.language.Classify(o.SQL, all[0])
	verb := strings.ToUpper(all[0].Verb)
	switch {
	case verdict.Effects.Any(forbidden):
		return nil, usagef("--sql is %s: bench repeats statements that stand for themselves, and this one affects only its connection or transaction, or sends data in a protocol of its own", verb)
	case verdict.Effects.Any(changes) && !d.writable:
		// A statement of an unknown kind may write, or may be a mistake.
		if err := d.prepare(ctx, o.SQL[all[0].Start:all[0].End]); err != nil && d.unreadable(err) {
			return nil, fmt.Errorf("--sql is no statement that the database can read: %w", err)
		}
		return nil, usagef("--sql is %s, which may write or leave something behind; if that is wanted, give --allow-writes", verb)
	}
	text := o.SQL[all[0].Start:all[0].End]
	named, names, err := d.placeholders(text)
	switch {
	case err != nil:
		return nil, err
	case len(names) != len(o.Args):
		return nil, usagef("--sql has %s, but --args has %s", count(len(names), "parameter"), count(len(o.Args), "value"))
	}
	values := make([]func() any, len(o.Args))
	for i, arg := range o.Args {
		if values[i], err = d.value(arg); err != nil {
			return nil, err
		}
	}
	return &workload{
		name:   "--sql",
		writes: verdict.Effects.Any(changes),
		steps: []step{{text: text, named: named, names: names, rows: verdict.Effects.Any(sqltext.ReturnsRows), args: func(int) []any {
			args := make([]any, len(values))
			for i, value := range values {
				args[i] = value()
			}
			return args
		}}},
	}, nil
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// placeholders returns the statement with :p1, :p2 instead of the database's own placeholders, and
// the names.
func (d *database) placeholders(text string) (named string, names []string, err error) {
	dollars := d.language == sqltext.PostgreSQL
	var out strings.Builder
	params := 0
	for t := range d.language.Tokens(text, 0, len(text)) {
		word := text[t.Start:t.End]
		switch {
		case t.Kind == sqltext.Native && dollars:
			n, err := strconv.Atoi(strings.TrimPrefix(word, "$"))
			if err != nil || n < 1 {
				return "", nil, usagef("--sql has %s: write parameters as $1, $2", word)
			}
			params = max(params, n)
		case t.Kind == sqltext.Native:
			if word != "?" || t.End < len(text) && text[t.End] >= '0' && text[t.End] <= '9' {
				return "", nil, usagef("--sql has %s: write parameters as ?", word)
			}
			params++
			word = ":" + paramName(params-1)
		case t.Kind == sqltext.Param:
			return "", nil, usagef("--sql has %s: write parameters as %s", word, map[bool]string{true: "$1, $2", false: "?"}[dollars])
		}
		out.WriteString(word)
	}
	for i := range params {
		names = append(names, paramName(i))
	}
	return out.String(), names, nil
}

var span = regexp.MustCompile(`^\{(-?\d+)\.\.(-?\d+)\}$`)

// value returns a function that returns the values of an argument: always the same one, or for
// {1..1000} one of these numbers at random.
func (d *database) value(arg string) (func() any, error) {
	// PostgreSQL reads a text as the type of the parameter.
	convert := func(text string) any { return text }
	if d.language != sqltext.PostgreSQL {
		convert = guess
	}
	found := span.FindStringSubmatch(arg)
	if found == nil {
		v := convert(arg)
		return func() any { return v }, nil
	}
	from, err1 := strconv.ParseInt(found[1], 10, 32)
	to, err2 := strconv.ParseInt(found[2], 10, 32)
	if err1 != nil || err2 != nil || to < from {
		return nil, usagef("--args has %s: a range goes from a number to a larger one, such as {1..1000}, within 32 bits", arg)
	}
	return func() any { return convert(strconv.FormatInt(from+rand.Int64N(to-from+1), 10)) }, nil
}

// guess returns a number if the text is one.
func guess(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && strings.ContainsAny(text, "0123456789") {
		return f
	}
	return text
}

// key returns the key of a row of the table of the built-in workloads. Neighbouring calls have keys
// that are far from each other.
func key(i int) int64 { return int64(i*7919%ownRows) + 1 }

func keyOnly(i int) []any     { return []any{key(i)} }
func valueAndKey(i int) []any { return []any{int64(i), key(i)} }
func valueOnly(i int) []any   { return []any{int64(i)} }
func noArguments(i int) []any { return nil }

// paramName returns the name of a parameter in a step's named text.
func paramName(i int) string { return fmt.Sprint("p", i+1) }
