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
