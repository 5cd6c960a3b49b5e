package sqltext_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

var (
	standard = sqltext.Rules{}
	sqlite   = sqltext.SQLite.Rules
	postgres = sqltext.PostgreSQL.Rules
	mysql    = sqltext.MySQL.Rules
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

func TestAParameterIsAColonBeforeALetterOutsideQuotes(t *testing.T) {
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
		{"escape string that goes on", postgres, "select E'a'\n'b\\':no', :a", ":a"},
		{"escape string that goes on after a comment", postgres, "select E'a' -- it's\n \t'b\\':no', :a", ":a"},
		{"escape string that goes on after a carriage return", postgres, "select E'a'\r'b\\':no', :a", ":a"},
		{"an escape string goes on only after a line break", postgres, `select E'a' 'b\' , :a`, ":a"},
		{"an escape string doesn't go on after a block comment", postgres, "select E'a'/*\n*/'b\\' , :a", ":a"},
		{"unicode literal", postgres, `select U&'\0041\' , :a, u&"x\" , :b`, ":a :b"},
		{"line comment that ends with a carriage return", postgres, "select 1 -- :no\r, :a", ":a"},
		{"a carriage return ends no comment elsewhere", sqlite, "select 1 -- :no\r, :no", ""},
		{"a carriage return ends no comment in MySQL", mysql, "select 1 -- :no\r, :no # :no\r :no\n :a", ":a"},
		{"executed comment", mysql, "select 1 /*!40000 and a = :a */ /*M!100100 and :b */ /*! :c*/ and :d", ":a :b :c :d"},
		{"executed comments are comments elsewhere", postgres, "select 1 /*!40000 and a = :no */", ""},
		{"an executed comment without end is a comment", mysql, "select :a /*!40000 and :no", ":a"},
		{"a comment that couldn't be executed", mysql, "select :a /*!99999 don't :no */, :b", ":a :b"},
		{"a comment in an executed one", mysql, "select /*!40000 :a /* :no */ , ':no */' , :b */ + :c", ":a :b :c"},
		{"multiplied with what follows a comment", mysql, "select :a */* :no */:b /*!40000 * :c *//* :no */", ":a :b :c"},
		{"hint", mysql, "select /*+ MAX_EXECUTION_TIME(:no) */ :a", ":a"},
		{"double quotes are literals", mysql, `select "\":no", :a`, ":a"},
		{"assignment to a parameter", mysql, "set @x := :a, @y:=:b", ":a :b"},
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

func TestKindsOfTokens(t *testing.T) {
	kinds := map[sqltext.Kind]string{sqltext.Comment: "comment", sqltext.Literal: "literal", sqltext.Name: "name", sqltext.Word: "word",
		sqltext.Hint: "hint", sqltext.ExecBegin: "begin", sqltext.ExecEnd: "end", sqltext.Other: "other", sqltext.Number: "number"}
	for _, c := range []struct {
		rules sqltext.Rules
		text  string
		want  string
	}{
		{mysql, "/*!40000 a */", "begin:/*!40000 word:a end:*/"},
		{mysql, "/*!999999a*/", "begin:/*!999999 word:a end:*/"},
		{mysql, "/*!9999a*/", "begin:/*! number:9999a end:*/"},
		{mysql, "/*M!100100 a*/ /*M a*/", "begin:/*M!100100 word:a end:*/ comment:/*M a*/"},
		{mysql, "/*+ a */ /* a */ \"a\" `a` 'a'", "hint:/*+ a */ comment:/* a */ literal:\"a\" name:`a` literal:'a'"},
		{postgres, "/*+ a /* b */ c */ /*!1 a*/", "hint:/*+ a /* b */ c */ comment:/*!1 a*/"},
		{postgres, `U&"a" u&'a' U & 'a' e'a' xe'a'`, `name:U&"a" literal:u&'a' word:U other:& literal:'a' literal:e'a' word:xe literal:'a'`},
		{sqlite, "E'a' [a] x'00'", "word:E literal:'a' name:[a] word:x literal:'00'"},
		{mysql, "a*/*c*/b /*! a*/", "word:a other:* comment:/*c*/ word:b begin:/*! word:a end:*/"},
		{mysql, "--\x01a\n--a", "comment:--\x01a other:- other:- word:a"},
	} {
		var got []string
		for tok := range c.rules.Tokens(c.text, 0, len(c.text)) {
			if tok.Kind != sqltext.Space {
				got = append(got, kinds[tok.Kind]+":"+c.text[tok.Start:tok.End])
			}
		}
		require.Equal(t, c.want, strings.Join(got, " "), c.text)
	}
}

func TestBlankTokensAreSkipped(t *testing.T) {
	for kind := range sqltext.ExecEnd + 1 {
		want := slices.Contains([]sqltext.Kind{sqltext.Space, sqltext.Comment, sqltext.Hint, sqltext.ExecBegin, sqltext.ExecEnd}, kind)
		require.Equal(t, want, kind.Blank(), kind)
	}
}
