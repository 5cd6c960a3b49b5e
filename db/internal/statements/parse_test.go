package statements

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// marks is a dialect that has only a syntax.
type marks struct {
	backend.Dialect
	numbered bool
	rules    sqltext.Rules
}

func (d marks) Name() string                                      { return "marks" }
func (d marks) Rules() *sqltext.Rules                             { return &d.rules }
func (d marks) Traits(string, []sqltext.Statement) backend.Traits { return backend.Traits{} }
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
		st, err := LanguageOf(c.d, 0).Parse(c.source)
		require.NoError(t, err, c.source)
		require.Equal(t, c.text, st.Text, c.source)
		require.Equal(t, c.params, strings.Join(st.Params, " "), c.source)
		require.Equal(t, c.source, st.Source)
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
		_, err := LanguageOf(question, 0).Parse(source)
		require.ErrorContains(t, err, why, source)
	}
}

// FuzzStatement checks that rendering changes only parameters and escaped colons, and that the
// rendered text has exactly the placeholders that it should.
func FuzzStatement(f *testing.F) {
	for _, seed := range []string{
		"select :a, ':b', \":c\" /* :d */ -- :e\n, :a::int, \\:x, $$:f$$",
		"insert into t values (:a, :b); -- c", "'", ":", "::a", ":a:b", "x:a", "$1", "?", "\\:\\:a", "[:a] `:b`", "0.:A",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		for _, d := range []marks{question, dollar} {
			st, err := LanguageOf(d, 0).Parse(source)
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
