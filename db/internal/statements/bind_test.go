package statements

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
)

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
		{":a, :b", []any{sql.Named("a", 1), sql.Named("b", 2)}, []any{1, 2}},
		{":a, :b", []any{sql.Named("b", 2), sql.Named("a", 1)}, []any{1, 2}},
		{":a, :b, :a", []any{sql.Named("b", 2), sql.Named("a", 1)}, []any{1, 2, 1}},
		{":a, :b", []any{map[string]any{"a": 1, "b": nil}}, []any{1, nil}},
		{":a, :b", []any{map[key]int{"a": 1, "b": 2}}, []any{1, 2}},
		{":id, :full_name, :FullName, :city, :street", []any{p}, []any{7, "x", "x", "Y", "z"}},
		{":id, :street", []any{&person{ID: 8}}, []any{8, nil}},
		{":id, :x", []any{p, sql.Named("x", 9)}, []any{7, 9}},
		{":id, :x", []any{sql.Named("id", 1), map[string]any{"x": 2}, p}, []any{1, 2}},
		{":a, :b, :c, :d, :e", []any{map[string]any{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}}, []any{1, 2, 3, 4, 5}},
	} {
		st, err := LanguageOf(question, 0).Parse(c.source)
		require.NoError(t, err)
		var room [4]any
		got, err := st.Bind(room[:], c.args)
		require.NoError(t, err, "%s with %v", c.source, c.args)
		require.Equal(t, c.want, got, "%s with %v", c.source, c.args)
	}
}

func TestArgumentsInArguments(t *testing.T) {
	type address struct{ Street string }
	type author struct {
		ID   int
		Home *address
		More map[string]any
	}
	type post struct {
		Title  string
		Author author
		Editor *author `db:"ed"`
		Other  author  `db:"other_,prefix"`
		*Address
	}
	p := post{Author: author{1, &address{"a"}, map[string]any{"x": 3}}, Other: author{ID: 9}}
	for _, c := range []struct {
		source string
		args   []any
		want   []any
	}{
		{":author.id, :author.home.street, :Author.Home.Street", []any{p}, []any{1, "a", "a"}},
		{":ed.id, :ed.home.street, :other.home.street", []any{map[string]any{"ed": p.Editor, "other": &p.Other}}, []any{nil, nil, nil}},
		{":ed.id, :ed.home.street, :other_id, :address.street", []any{p}, []any{nil, nil, 9, nil}},
		{":author.more.x", []any{&p}, []any{3}},
		{":p.author.id, :q", []any{sql.Named("p", &p), sql.Named("q", 2)}, []any{1, 2}},
		{":p.author.id", []any{map[string]*post{"p": &p}}, []any{1}},
		{":a.b, :a.c.d", []any{map[string]any{"a.b": 1, "a": map[string]any{"b": 2, "c": map[string]int{"d": 4}}}}, []any{1, 4}},
		{":a.b, :a", []any{sql.Named("a", map[string]int{"b": 1})}, []any{1, map[string]int{"b": 1}}},
		{":a.b", []any{map[string]any{"a": nil}}, []any{nil}},
	} {
		st, err := LanguageOf(question, 0).Parse(c.source)
		require.NoError(t, err)
		got, err := st.Bind(nil, c.args)
		require.NoError(t, err, "%s with %v", c.source, c.args)
		require.Equal(t, c.want, got, "%s with %v", c.source, c.args)
	}
	for source, arg := range map[string]any{
		":author.nothing": p,
		":title.length":   p,
		":a.b.c":          map[string]any{"a": map[string]int{"b": 1}},
		":a.b":            map[string]any{"a": 7},
		":author.id":      map[string]any{"author": p.Author, "autor": 1},
	} {
		st, err := LanguageOf(question, 0).Parse(source)
		require.NoError(t, err)
		_, err = st.Bind(nil, []any{arg})
		require.Error(t, err, source)
	}
}

func TestParametersAndArgumentsMustMatch(t *testing.T) {
	for _, c := range []struct {
		source string
		args   []any
		want   string
	}{
		{":a", nil, "the parameter :a has no argument; there are none"},
		{":a, :b", []any{sql.Named("a", 1)}, "the parameter :b has no argument; there are a"},
		{":id", []any{struct{ Name string }{}}, "the parameter :id has no argument; there are the fields of struct { Name string }"},
		{"select 1", []any{sql.Named("a", 1)}, `the argument "a" is no parameter of the statement, which has no parameters`},
		{":email", []any{sql.Named("emial", 1)}, `the argument "emial" is no parameter of the statement, which has only :email`},
		{":a", []any{map[string]any{"a": 1, "c": 2}}, `the argument "c" is no parameter`},
		{":a", []any{map[string]int{"a": 1, "c": 2}}, `the argument "c" is no parameter`},
		{":a", []any{sql.Named("a", 1), sql.Named("a", 2)}, "the parameter :a has two arguments"},
		{":a", []any{1}, "a value of type int can't tell which parameter it is for; pass db.Named(name, value)"},
		{":a", []any{nil}, "nil can't tell which parameter it is for"},
		{":a", []any{(*person)(nil)}, "can't tell which parameter"},
		{":a", []any{[]int{1}}, "a value of type []int can't tell"},
		{":x", []any{struct {
			A int `db:"x"`
			B int `db:"x"`
		}{}}, `has two fields for "x"`},
	} {
		st, err := LanguageOf(question, 0).Parse(c.source)
		require.NoError(t, err)
		_, err = st.Bind(nil, c.args)
		require.ErrorContains(t, err, c.want)
	}
}
