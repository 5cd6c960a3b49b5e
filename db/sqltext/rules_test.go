package sqltext_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db/sqltext"
)

var (
	standard = sqltext.Rules{}
	sqlite   = sqltext.Rules{Backticks: true, Brackets: true, Natives: "?@$:"}
	postgres = sqltext.Rules{NestedComments: true, EscapeStrings: true, DollarQuotes: true, Natives: "$"}
	mysql    = sqltext.Rules{HashComments: true, DashNeedsSpace: true, Backslash: true, Backticks: true, Natives: "?"}
)

// pieces returns the texts of all tokens of one kind.
func pieces(r sqltext.Rules, text string, kind sqltext.Kind) []string {
	var all []string
	for t := r.Next(text, 0); t.Kind != sqltext.End; t = r.Next(text, t.End) {
		if t.Kind == kind {
			all = append(all, text[t.Start:t.End])
		}
	}
	return all
}

func TestAParameterIsAColonBeforeALetterOutsideOfEverythingQuoted(t *testing.T) {
	for _, c := range []struct {
		name   string
		rules  sqltext.Rules
		text   string
		params string
	}{
		{"plain", standard, "select :a, :b_2 from t where x=:Größe", ":a :b_2 :Größe"},
		{"at the very ends", standard, ":a+:b", ":a :b"},
		{"literal", standard, "select ':no', 'it''s :no' || :a", ":a"},
		{"literal without end", standard, "select :a, 'no :end", ":a"},
		{"quoted name", standard, `select ":no", "a"":no" from t where x = :a`, ":a"},
		{"backtick", mysql, "select `:no` from t where x = :a", ":a"},
		{"backtick is no quote elsewhere", standard, "select `:a`", ":a"},
		{"bracket", sqlite, "select [:no] from t where x = :a", ":a"},
		{"bracket is no quote elsewhere", postgres, "select x[:a]", ":a"},
		{"line comment", standard, "select 1 -- :no\n, :a", ":a"},
		{"line comment at the end", standard, "select :a -- :no", ":a"},
		{"dashes that need a space", mysql, "select 1--:a\n-- :no\n", ":a"},
		{"hash comment", mysql, "select :a # :no\n", ":a"},
		{"hash is no comment elsewhere", postgres, "select :a #:b", ":a :b"},
		{"block comment", standard, "select /* :no */ :a", ":a"},
		{"block comment doesn't nest", standard, "/* /* */ :a */", ":a"},
		{"block comment nests", postgres, "/* /* */ :no */ :a", ":a"},
		{"block comment without end", standard, "select :a /* :no", ":a"},
		{"slash star slash is open", standard, "/*/ :no */ :a", ":a"},
		{"division", standard, "select :a/:b", ":a :b"},
		{"cast", postgres, "select x::text, :a::int, '1'::int", ":a"},
		{"slice", postgres, "select n[1:n], n[a:b], n[:a]", ":a"},
		{"escaped", standard, `select \:no, :a`, ":a"},
		{"assignment", mysql, "set @x := :a", ":a"},
		{"digit", standard, "select :1, :a1", ":a1"},
		{"backslash in a literal", mysql, `select 'it\':no' , :a`, ":a"},
		{"no backslash in a literal", standard, `select 'it\' , :a`, ":a"},
		{"escape string", postgres, `select E'it\':no', :a`, ":a"},
		{"escape string, lower case", postgres, `select e'it\':no', :a`, ":a"},
		{"word that ends with e", postgres, `select name'it\' , :a`, ":a"},
		{"dollar quote", postgres, "select $$ :no $$, $x$ :no $$ :no $x$, :a", ":a"},
		{"dollar quote without end", postgres, "select :a, $x$ :no", ":a"},
		{"dollar number is no quote", postgres, "select $1, :a, $2", ":a"},
		{"dollar in a word is no quote", postgres, "select a$b$, :a, c$b$", ":a"},
		{"name ends before a dollar", standard, "select :a$b", ":a"},
		{"bytes beyond UTF-8", standard, "select :a\xff, :b", ":a\xff :b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.params, strings.Join(pieces(c.rules, c.text, sqltext.Param), " "))
		})
	}
}

func TestNativePlaceholdersAreRecognised(t *testing.T) {
	for _, c := range []struct {
		rules  sqltext.Rules
		text   string
		native string
	}{
		{sqlite, "select ?, ?12, @a, $b, x:c, '?', :ok", "? ?12 @a $b :c"},
		{postgres, "select $1, a$1, data ? 'k', @x, '$2', $$ $3 $$", "$1"},
		{mysql, "select ?, @a, $x", "?"},
		{standard, "select ?, @a, $x, x:c", ""},
	} {
		require.Equal(t, c.native, strings.Join(pieces(c.rules, c.text, sqltext.Native), " "), c.text)
	}
}

func TestSplitFindsStatementsAndTheirVerbs(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules sqltext.Rules
		text  string
		want  []string
	}{
		{"nothing", sqlite, " ; -- nothing\n; /* */ ", nil},
		{"one", sqlite, " /* c */ select 1 -- tail", []string{"select: select 1"}},
		{"semicolon and comment behind", sqlite, "Select 1 ; -- tail", []string{"select: Select 1"}},
		{"two", sqlite, "insert into t values (';'); delete from t", []string{"insert: insert into t values (';')", "delete: delete from t"}},
		{"parentheses", postgres, "(select 1) union select 2", []string{"select: (select 1) union select 2"}},
		{"with select", sqlite, "with a as (select 1), b as (values (1)) select * from a", []string{"select: with a as (select 1), b as (values (1)) select * from a"}},
		{"with insert", sqlite, "with recursive a(n) as (select 1) insert into t select * from a", []string{"insert: with recursive a(n) as (select 1) insert into t select * from a"}},
		{"quoted name is no verb", sqlite, `with "insert" as (select 1) select 1`, []string{`select: with "insert" as (select 1) select 1`}},
		{"trigger", sqlite, "create temp trigger x after insert on t begin select case when 1 then 2 end; delete from u; end; select 2",
			[]string{"create: create temp trigger x after insert on t begin select case when 1 then 2 end; delete from u; end", "select: select 2"}},
		{"table with a column called begin", sqlite, "create table event(begin text); select 1",
			[]string{"create: create table event(begin text)", "select: select 1"}},
		{"procedure", mysql, "create procedure p() begin if 1 then select 1; end if; case 1 when 1 then select 2; end case; end; select 3",
			[]string{"create: create procedure p() begin if 1 then select 1; end if; case 1 when 1 then select 2; end case; end", "select: select 3"}},
		{"function in dollar quotes", postgres, "create function f() returns int as $$ begin return 1; end $$ language plpgsql; select 1",
			[]string{"create: create function f() returns int as $$ begin return 1; end $$ language plpgsql", "select: select 1"}},
		{"begin is a statement elsewhere", sqlite, "begin; select 1; end", []string{"begin: begin", "select: select 1", "end: end"}},
		{"no word", sqlite, "(1)", []string{": (1)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, st := range c.rules.Split(c.text) {
				got = append(got, st.Verb+": "+c.text[st.Start:st.End])
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestWordsStopAtTheFirstSign(t *testing.T) {
	text := `/* x */ CREATE Temp /* y */ "Table" t(a)`
	st := sqlite.Split(text)[0]
	require.Equal(t, []string{"create", "temp"}, sqlite.Words(text, st, 2))
	require.Equal(t, []string{"create", "temp", `"Table"`, "t"}, sqlite.Words(text, st, 10))
}

// FuzzTokens holds what every text must obey, whatever its meaning: tokens
// cover it without gap and overlap, parameters look like parameters, and
// statements lie in order inside the text.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{
		"select :a, ':b', \":c\", `:d`, [:e], $$:f$$, $x$:g$x$ -- :h\n/* /* :i */ */ # :j\n",
		"E'\\'' :a::int x[1:n] \\:b ?1 @c $d", "create trigger t begin select 1; end; with a as (select 1) delete from b",
		"'", "\"", "/*", "$x", ":", "\\", "::", "\x00\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range []sqltext.Rules{standard, sqlite, postgres, mysql} {
			pos := 0
			for {
				tok := r.Next(text, pos)
				require.Equal(t, pos, tok.Start)
				if tok.Kind == sqltext.End {
					require.Equal(t, len(text), tok.End)
					break
				}
				require.Greater(t, tok.End, tok.Start)
				require.LessOrEqual(t, tok.End, len(text))
				if tok.Kind == sqltext.Param {
					require.Greater(t, tok.End, tok.Start+1)
					require.Equal(t, byte(':'), text[tok.Start])
				}
				pos = tok.End
			}
			last := 0
			for _, st := range r.Split(text) {
				require.LessOrEqual(t, last, st.Start)
				require.Less(t, st.Start, st.End)
				require.LessOrEqual(t, st.End, len(text))
				last = st.End
			}
		}
	})
}
