package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/bench/internal/plan"
	"github.com/seed1239206e/repaint/bench/internal/report"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// Each library does each thing on both sides.
func TestEverythingRuns(t *testing.T) {
	for _, only := range []string{"loopback.*, 1 caller", "1 ms: gorm, read.*256"} {
		var out strings.Builder
		err := run(t.Context(), t, &out, plan.Plan{Rounds: 1, Length: time.Millisecond, Only: regexp.MustCompile(only), With: regexp.MustCompile("")})
		require.NoError(t, err)
		for _, want := range []string{onRepaint, inLoop, onPgx, "gorm"} {
			require.Contains(t, out.String(), want)
		}
	}
}

func TestGoalsCoverEachLibrary(t *testing.T) {
	all := goals(new(report.Results))
	require.Len(t, all, len(networks)*len(libraries)*(3+2), "one caller in each workload; and 256 that read, and that have transactions")
}
