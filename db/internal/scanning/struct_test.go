package scanning

import (
	"database/sql/driver"
	"testing"

	"github.com/seed1239206e/repaint/db/backend"
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

func TestStructsAreFilledByName(t *testing.T) {
	all := columnsOf(backend.Column{Name: "id"}, backend.Column{Name: "full_name"}, backend.Column{Name: "city"}, backend.Column{Name: "street"})
	var p person
	require.NoError(t, all.Struct([]driver.Value{int64(1), "n", "c", "s"}, &p))
	require.Equal(t, person{ID: 1, FullName: "n", hidden: "", embedded: embedded{"c"}, Address: &Address{"s"}}, p)

	for _, c := range []struct {
		columns []backend.Column
		row     []driver.Value
		want    string
	}{
		{[]backend.Column{{Name: "nope"}}, []driver.Value{1}, `the column "nope" has no field in scanning.person`},
		{[]backend.Column{{Name: "Skipped"}}, []driver.Value{1}, `no field`},
		{[]backend.Column{{Name: "hidden"}}, []driver.Value{1}, `no field`},
		{[]backend.Column{{Name: "id"}, {Name: "id"}}, []driver.Value{1, 2}, `the columns 1 ("id") and 2 ("id") are for the same field`},
		{[]backend.Column{{Name: "id"}}, []driver.Value{nil}, `column 1, "id", into field ID (int) of scanning.person: the value is NULL`},
	} {
		err := columnsOf(c.columns...).Struct(c.row, &p)
		require.ErrorContains(t, err, c.want)
	}
	require.ErrorContains(t, all.Struct(nil, p), "takes a pointer to a struct, not a scanning.person")
	require.ErrorContains(t, all.Struct(nil, (*person)(nil)), "takes a pointer to a struct")
}

type author struct {
	ID   int
	Home *Address
}

type post struct {
	Title  string
	Author author
	Editor *author `db:"ed"`
	Other  *author `db:"other_,prefix"`
	*Address
}

func named(names ...string) Columns {
	all := make([]backend.Column, len(names))
	for i, name := range names {
		all[i].Name = name
	}
	return columnsOf(all...)
}

func TestStructsInStructs(t *testing.T) {
	all := named("title", "author.id", "author.home.street", "ed.id", "other_id", "other_home.street", "address.street")
	var p post
	require.NoError(t, all.Struct([]driver.Value{"t", int64(1), "s", int64(2), int64(3), nil, "n"}, &p))
	require.Equal(t, post{
		Title: "t", Author: author{1, &Address{"s"}}, Editor: &author{ID: 2}, Other: &author{ID: 3}, Address: &Address{"n"},
	}, p)

	// The next row shares nothing with this one. A struct for which an outer join found nothing is
	// nil.
	before := p
	require.NoError(t, all.Struct([]driver.Value{"u", int64(9), nil, int64(8), nil, nil, nil}, &p))
	require.Equal(t, 2, before.Editor.ID)
	require.Equal(t, post{Title: "u", Author: author{9, nil}, Editor: &author{ID: 8}}, p)

	require.ErrorContains(t, all.Struct([]driver.Value{"u", nil, nil, nil, nil, nil, nil}, &p), "column 2, \"author.id\", into field ID (int) of scanning.post: the value is NULL")
	require.ErrorContains(t, all.Struct([]driver.Value{"u", int64(9), nil, nil, nil, "s", nil}, &p), "\"other_id\"")
	for _, name := range []string{"author.nothing", "nothing.id", "title.id", "author.id."} {
		require.ErrorContains(t, named(name).Struct([]driver.Value{nil}, &p), "has no field", name)
	}
	require.ErrorContains(t, named("author.id", "Author.ID").Struct([]driver.Value{int64(1), int64(1)}, &p), "are for the same field")
}
