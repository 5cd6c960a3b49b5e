package fields

import (
	"database/sql"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func find[T any](t *testing.T, name string) []int {
	t.Helper()
	index, err := Of(reflect.TypeFor[T]()).Find(name)
	require.NoError(t, err)
	return index
}

func TestFieldsAreFoundByTagOrByNameInAnyForm(t *testing.T) {
	type row struct {
		ID       int `db:"id,omitempty"`
		FullName string
		Skipped  string `db:"-"`
		hidden   string
		Empty    int `db:""`
	}
	_ = row{}.hidden
	require.Equal(t, []int{0}, find[row](t, "id"))
	require.Nil(t, find[row](t, "ID"), "a tag is the exact name")
	for _, name := range []string{"full_name", "FullName", "FULLNAME", "fullname"} {
		require.Equal(t, []int{1}, find[row](t, name), name)
	}
	require.Nil(t, find[row](t, "skipped"))
	require.Nil(t, find[row](t, "hidden"))
	require.Equal(t, []int{4}, find[row](t, "empty"))
}

func TestShallowFieldsWinAndPointersToThemselvesEnd(t *testing.T) {
	type Inner struct{ A, B int }
	type Outer struct {
		Inner
		A string
	}
	type Loop struct {
		*Loop
		C int
	}
	require.Equal(t, []int{1}, find[Outer](t, "a"))
	require.Equal(t, []int{0, 1}, find[Outer](t, "b"))
	require.Equal(t, []int{1}, find[Loop](t, "c"))
}

func TestTwoFieldsOfOneNameAreAnErrorOnlyWhenAskedFor(t *testing.T) {
	type twice struct {
		A, B int `db:"x"`
		C    int
	}
	require.Equal(t, []int{2}, find[twice](t, "c"))
	_, err := Of(reflect.TypeFor[twice]()).Find("x")
	require.EqualError(t, err, `fields.twice has two fields for "x"; tell them apart by their db tags`)
}

func TestARowIsAStructThatIsNoValue(t *testing.T) {
	type row struct{ A int }
	require.True(t, IsRow(reflect.TypeFor[row]()))
	for _, value := range []any{time.Time{}, sql.NullString{}, sql.Null[row]{}, 1, &row{}, []row{}} {
		require.False(t, IsRow(reflect.TypeOf(value)), "%T", value)
	}
}
