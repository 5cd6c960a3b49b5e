package figures_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/figures"
	"github.com/seed1239206e/repaint/internal/figures/dbfigures"
	"github.com/seed1239206e/repaint/internal/figures/pgfigures"
	"github.com/seed1239206e/repaint/pg"
)

// All exporters export exactly these figures, so a field without one is nowhere.
func TestEachFieldOfTheStatisticsHasAFigure(t *testing.T) {
	eachFieldHasAFigure(t, pgfigures.All)
	eachFieldHasAFigure(t, dbfigures.All)
	require.NotEmpty(t, fields(reflect.TypeFor[pg.Stats](), nil, ""))
	require.Contains(t, fields(reflect.TypeFor[db.Stats](), nil, ""), field{"Lanes.Open", []int{indexOf[db.Stats](t, "Lanes"), 0}})
}

func indexOf[S any](t *testing.T, name string) int {
	f, ok := reflect.TypeFor[S]().FieldByName(name)
	require.True(t, ok)
	return f.Index[0]
}

// eachFieldHasAFigure sets one field after the other, and looks for a figure that shows just that
// value, with the unit and the kind that the field's type stands for.
func eachFieldHasAFigure[S any](t *testing.T, all []figures.Figure[S]) {
	for _, f := range fields(reflect.TypeFor[S](), nil, "") {
		var s S
		v := reflect.ValueOf(&s).Elem().FieldByIndex(f.index)
		want := 7.0
		switch {
		case v.Type() == reflect.TypeFor[time.Duration]():
			v.SetInt(int64(7 * time.Second))
		case v.CanUint():
			v.SetUint(7)
		default:
			v.SetInt(7)
		}
		found := false
		for _, one := range all {
			if one.Measure(s) != want {
				continue
			}
			found = true
			name := one.Name + " of " + f.name
			require.Equal(t, v.Type() == reflect.TypeFor[time.Duration](), one.Unit == "s", name)
			require.Equal(t, v.Kind() != reflect.Int, one.Counts, name)
		}
		require.True(t, found, "%T.%s has no figure: add it to internal/figures and to docs/guide-deploy.md", s, f.name)
	}
}

type field struct {
	name  string
	index []int
}

// fields returns the fields of a struct, and of those in it.
func fields(of reflect.Type, index []int, prefix string) (all []field) {
	for i := range of.NumField() {
		f := of.Field(i)
		at := append(index[:len(index):len(index)], i)
		if f.Type.Kind() == reflect.Struct {
			all = append(all, fields(f.Type, at, prefix+f.Name+".")...)
			continue
		}
		all = append(all, field{prefix + f.Name, at})
	}
	return all
}
