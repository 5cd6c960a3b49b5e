package figures_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/figures/dbfigures"
	"github.com/seed1239206e/repaint/internal/figures/pgfigures"
)

func TestEachFigureIsDocumentedUnderBothNames(t *testing.T) {
	text, err := os.ReadFile("../../docs/guide-deploy.md")
	require.NoError(t, err)
	names := func(name, prometheus, unit string) {
		require.Contains(t, string(text), "`"+name)
		require.Contains(t, string(text), "`"+prometheus)
		require.Contains(t, string(text), "`"+unit+"`")
	}
	for _, f := range pgfigures.All {
		names(f.Name, f.Prometheus(), f.Unit)
	}
	for _, f := range dbfigures.All {
		names(f.Name, f.Prometheus(), f.Unit)
	}
}
