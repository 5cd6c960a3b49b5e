package telling

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// friend has the cases that are hard to write: names in pointers, and pointers in lists and
// structs.
type friend struct {
	Name  *string
	Knows []*friend
	At    *time.Time
	data  []byte
}

func TestValuesAreToldWithoutPointersAndTypesWithoutValues(t *testing.T) {
	ada, at := "ada", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	name := &ada
	itself := &friend{Name: name}
	itself.Knows = []*friend{itself}
	for _, c := range []struct {
		v            any
		typ, valueOf string
	}{
		{nil, "nil", "NULL"},
		{7, "int", "7"},
		{name, "*string", `"ada"`},
		{&name, "**string", `"ada"`},
		{(*string)(nil), "*string", "NULL"},
		{&at, "*time.Time", "2026-01-02T03:04:05Z"},
		{[]any{1, 2}, "[]int", "[1 2]"},
		{[]any{1, "x"}, "[]any", "[1 x]"},
		{[]any{name, (*string)(nil)}, "[]*string", "[ada NULL]"},
		{[]any{}, "[]interface {}", "[]"},
		{friend{name, []*friend{{}}, nil, []byte("xy")}, "telling.friend", "{ada [{NULL [] NULL 0 bytes}] NULL 2 bytes}"},
		{struct{ At *time.Time }{&at}, "struct { At *time.Time }", "{2026-01-02 03:04:05 +0000 UTC}"},
		{map[string]*string{"k": name}, "map[string]*string", "map[k:ada]"},
		{make(chan int), "chan int", "chan int"},
		{sql.Null[string]{V: "x", Valid: true}, "sql.Null[string]", "{x true}"},
		{errors.New("as it says"), "*errors.errorString", "as it says"},
	} {
		require.Equal(t, c.typ, Param(c.v, Types))
		require.Equal(t, c.valueOf, Param(c.v, Values))
	}
	require.NotContains(t, Param(itself, Values), "0x", "a value that refers to itself")
	require.Empty(t, Param(7, Nothing))
}
