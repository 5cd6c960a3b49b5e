package explore

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlaceIsTheInnermostOfTheProgram(t *testing.T) {
	var place string
	slices.SortFunc([]int{2, 1}, func(int, int) int {
		place = Place()
		return 0
	})
	require.Regexp(t, `^place_test\.go:\d+$`, place)
}

func TestMachineryIsWhatProgramsWaitBy(t *testing.T) {
	for function, is := range map[string]bool{
		"github.com/seed1239206e/repaint.Sleep":                  true,
		"github.com/seed1239206e/repaint/pg.(*Tx).Exec":          true,
		"github.com/seed1239206e/repaint/examples/races.Buy":     false,
		"github.com/seed1239206e/repaint/repainttest_test.tasks": false,
		"github.com/seed1239206e/repaintshop.Buy":                false,
		"github.com/seed1239206e/repaint/compat.gormWithdraw":    false,
		"database/sql.(*DB).Exec":                                true,
		"gorm.io/gorm.(*DB).Create":                              true,
		"example.org/shop.Buy[go.shape.int]":                     false,
		"main.main":                                              false,
	} {
		require.Equal(t, is, machinery(packageOf(function)), function)
	}
}
