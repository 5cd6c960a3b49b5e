package db

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

// marks is a dialect that is only its text.
type marks struct {
	Dialect
	numbered bool
	rules    sqltext.Rules
}

func (d marks) Name() string                              { return "marks" }
func (d marks) Rules() *sqltext.Rules                     { return &d.rules }
func (d marks) Traits(string, []sqltext.Statement) Traits { return Traits{} }
func (d marks) Placeholder(n int) string {
	if d.numbered {
		return fmt.Sprint("$", n)
	}
	return "?"
}

var (
	question = marks{rules: sqltext.Rules{Natives: "?@$:"}}
	dollar   = marks{numbered: true, rules: sqltext.Rules{DollarQuotes: true, Natives: "$"}}
)

func TestStatementsAreRenderedForTheirDialect(t *testing.T) {
	for _, c := range []struct {
		d      marks
		source string
		text   string
		params string
	}{
		{question, "select :a, :b, :a", "select ?, ?, ?", "a b a"},
		{dollar, "select :a, :b, :a", "select $1, $2, $1", "a b"},
		{dollar, "select :a::int, ':no', $$:no$$", "select $1::int, ':no', $$:no$$", "a"},
		{question, `select '\:', \:x, :y`, `select '\:', :x, ?`, "y"},
		{question, " -- before\n select 1 ; -- after", " -- before\n select 1 ; -- after", ""},
		{question, "/*+ a */ select :a /* :b */;", "/*+ a */ select ? /* :b */;", "a"},
		{question, "select 1", "select 1", ""},
		{question, "/* a */ select 1 /* b */;; -- c", "/* a */ select 1 /* b */", ""},
		{question, "-- a\n; /* b */ select 1", " /* b */ select 1", ""},
		{question, " /* a */ a; b -- c", " /* a */ a; b -- c", ""},
		{question, ":a", "?", "a"},
	} {
		st, err := parseStatement(c.d, c.source, c.d.numbered)
		require.NoError(t, err, c.source)
		require.Equal(t, c.text, st.Text, c.source)
		require.Equal(t, c.params, strings.Join(st.Params, " "), c.source)
		require.Equal(t, c.source, st.Source)
	}
}

func TestAnInsertOfManyRowsKeepsItsComments(t *testing.T) {
	for source, want := range map[string]string{
		"/* a */ insert /*+ b */ into t /* c */ values /* d */ (:a, /* e */ :b) /* f */": "/* a */ insert /*+ b */ into t /* c */ values /* d */ (?, /* e */ ?), (?, /* e */ ?) /* f */",
		"insert into t values (:a) returning id -- b":                                    "insert into t values (?), (?) returning id -- b",
		"insert into t values (:a); -- b":                                                "insert into t values (?), (?); -- b",
	} {
		st, err := parseStatement(question, source, false)
		require.NoError(t, err)
		st.Changes = true
		require.Equal(t, want, st.tupleOf(question).form(&Engine{dialect: question}, 2).Text)
	}
}

func TestStatementsThatCantBeRight(t *testing.T) {
	for source, why := range map[string]string{
		"":                    "empty",
		" ; -- x":             "empty",
		"select 1\x00":        "byte 8 of the statement is NUL",
		"select ?":            "? is a placeholder of marks itself; parameters are written :name",
		"select @a":           "@a is a placeholder",
		"select x:a":          ":a is a placeholder",
		"select :a; select 1": "script of 2 statements",
	} {
		_, err := parseStatement(question, source, false)
		require.ErrorIs(t, err, ErrSyntax, source)
		require.ErrorContains(t, err, why, source)
	}
}

func TestTheStatementCacheKeepsNoLongTexts(t *testing.T) {
	c := newStatementCache(10)
	c.put(newStatement(strings.Repeat("x", longestCached)))
	c.put(newStatement(strings.Repeat("x", longestCached+1)))
	require.Equal(t, 1, c.Len())
}

// FuzzStatement holds that rendering changes nothing but parameters and escaped
// colons, and that what was rendered has exactly the placeholders it should.
func FuzzStatement(f *testing.F) {
	for _, seed := range []string{
		"select :a, ':b', \":c\" /* :d */ -- :e\n, :a::int, \\:x, $$:f$$",
		"insert into t values (:a, :b); -- c", "'", ":", "::a", ":a:b", "x:a", "$1", "?", "\\:\\:a", "[:a] `:b`", "0.:A",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, d := range []marks{question, dollar} {
			st, err := parseStatement(d, source, d.numbered)
			if err != nil {
				continue
			}
			var params, natives, colons int
			for tok := d.rules.Next(source, 0); tok.Kind != sqltext.End; tok = d.rules.Next(source, tok.End) {
				switch tok.Kind {
				case sqltext.Param:
					params++
				case sqltext.Colon:
					colons++
				}
			}
			for tok := d.rules.Next(st.Text, 0); tok.Kind != sqltext.End; tok = d.rules.Next(st.Text, tok.End) {
				switch tok.Kind {
				case sqltext.Native:
					natives++
				case sqltext.Param:
					require.Positive(t, colons, "%q became %q", source, st.Text)
				}
			}
			if colons == 0 {
				require.Equal(t, params, natives, "%q became %q", source, st.Text)
			}
			if !d.numbered {
				require.Len(t, st.Params, params)
			}
			require.NotContains(t, st.Text, "\x00")
		}
	})
}

type embedded struct {
	City string
}

type person struct {
	ID       int `db:"id"`
	FullName string
	Skipped  string `db:"-"`
	hidden   string
	embedded
	*Address
}

type Address struct {
	Street string `db:"street"`
}

func TestArgumentsAreFoundByName(t *testing.T) {
	p := person{ID: 7, FullName: "x", hidden: "h", embedded: embedded{"Y"}, Address: &Address{"z"}}
	type key string
	for _, c := range []struct {
		source string
		args   []any
		want   []any
	}{
		{"select 1", nil, nil},
		{":a, :b", []any{Named("a", 1), Named("b", 2)}, []any{1, 2}},
		{":a, :b", []any{Named("b", 2), sql.Named("a", 1)}, []any{1, 2}},
		{":a, :b, :a", []any{Named("b", 2), Named("a", 1)}, []any{1, 2, 1}},
		{":a, :b", []any{map[string]any{"a": 1, "b": nil}}, []any{1, nil}},
		{":a, :b", []any{map[key]int{"a": 1, "b": 2}}, []any{1, 2}},
		{":id, :full_name, :FullName, :city, :street", []any{p}, []any{7, "x", "x", "Y", "z"}},
		{":id, :street", []any{&person{ID: 8}}, []any{8, nil}},
		{":id, :x", []any{p, Named("x", 9)}, []any{7, 9}},
		{":id, :x", []any{Named("id", 1), map[string]any{"x": 2}, p}, []any{1, 2}},
		{":a, :b, :c, :d, :e", []any{map[string]any{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}}, []any{1, 2, 3, 4, 5}},
	} {
		st, err := parseStatement(question, c.source, false)
		require.NoError(t, err)
		var room [4]any
		got, err := st.bind(room[:], c.args)
		require.NoError(t, err, "%s with %v", c.source, c.args)
		require.Equal(t, c.want, got, "%s with %v", c.source, c.args)
	}
}

func TestParametersAndArgumentsMustMatch(t *testing.T) {
	for _, c := range []struct {
		source string
		args   []any
		want   string
	}{
		{":a", nil, "the parameter :a has no argument; there are none"},
		{":a, :b", []any{Named("a", 1)}, "the parameter :b has no argument; there are a"},
		{":id", []any{struct{ Name string }{}}, "the parameter :id has no argument; there are the fields of struct { Name string }"},
		{"select 1", []any{Named("a", 1)}, `the argument "a" is no parameter of the statement, which has no parameters`},
		{":email", []any{Named("emial", 1)}, `the argument "emial" is no parameter of the statement, which has only :email`},
		{":a", []any{map[string]any{"a": 1, "c": 2}}, `the argument "c" is no parameter`},
		{":a", []any{map[string]int{"a": 1, "c": 2}}, `the argument "c" is no parameter`},
		{":a", []any{Named("a", 1), Named("a", 2)}, "the parameter :a has two arguments"},
		{":a", []any{1}, "a value of type int can't tell which parameter it is for; pass db.Named(name, value)"},
		{":a", []any{nil}, "nil can't tell which parameter it is for"},
		{":a", []any{(*person)(nil)}, "can't tell which parameter"},
		{":a", []any{[]int{1}}, "a value of type []int can't tell"},
		{":x", []any{struct {
			A int `db:"x"`
			B int `db:"x"`
		}{}}, `has two fields for "x"`},
	} {
		st, err := parseStatement(question, c.source, false)
		require.NoError(t, err)
		_, err = st.bind(nil, c.args)
		require.ErrorIs(t, err, ErrParameter, "%s with %v", c.source, c.args)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, "[SQL: "+c.source)
	}
}

func TestAListThatMayEndItsParenthesesIsKnown(t *testing.T) {
	for text, ends := range map[string]bool{
		"": false, "select 1 from (select 1) as x where 1 != 1": false, "null) || '{}'::bool[] @> ('{t}'::bool[]": true, ")": true,
	} {
		require.Equal(t, ends, endsParentheses(text), text)
	}
}
