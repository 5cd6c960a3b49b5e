package greenlet_test

import (
	"bytes"
	"context"
	"runtime/pprof"
	"runtime/trace"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

// labels returns the labels of the goroutines, as pprof writes them.
func labels(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
	return b.String()
}

func TestProfiledGreenletsCarryALabel(t *testing.T) {
	root := inFamily(t)
	suspended := func(opts ...greenlet.Option) *greenlet.Greenlet {
		g := greenlet.New(func(any) (any, error) { return root.Switch(nil) }, opts...)
		_, _ = g.Switch(nil)
		return g
	}
	plain := suspended(greenlet.Name("plain"))
	require.NotContains(t, labels(t), `"greenlet":`)
	named := suspended(greenlet.Name("named"), greenlet.Profiled())
	require.Contains(t, labels(t), `"greenlet":"named"`)
	unnamed := suspended(greenlet.Profiled())
	require.Contains(t, labels(t), `"greenlet":"`+unnamed.String()+`"`)

	root.Family().SetProfiled(true)
	all := suspended(greenlet.Name("all"))
	root.Family().SetProfiled(false)
	require.Contains(t, labels(t), `"greenlet":"all"`)

	for _, g := range []*greenlet.Greenlet{plain, named, unnamed, all} {
		_, _ = g.Switch(nil)
	}
	again := suspended()
	require.NotContains(t, labels(t), `"greenlet":`, "a goroutine that is used again has lost its label")
	require.NoError(t, again.Kill())
}

func TestProfiledGreenletsAreTasksOfATrace(t *testing.T) {
	inFamily(t)
	if trace.IsEnabled() {
		t.Skip("a trace is being recorded already")
	}
	var b bytes.Buffer
	require.NoError(t, trace.Start(&b))
	_, _ = greenlet.New(func(any) (any, error) {
		trace.Log(context.Background(), "test", "in the greenlet")
		return nil, nil
	}, greenlet.Name("traced-by-runtime"), greenlet.Profiled()).Switch(nil)
	trace.Stop()
	require.Contains(t, b.String(), "traced-by-runtime")
}
