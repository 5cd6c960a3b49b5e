package pagetest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/gauge"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// benchPage writes the page of a short measurement, and returns the file.
func benchPage(t *testing.T) (file string, r *gauge.Report) {
	t.Helper()
	chromium(t) // or else it would be for nothing
	r, err := gauge.Run(t.Context(), gauge.Options{
		URL: testserver.Postgres(t).Database(t).URL(), Callers: []int{1, 64}, Connections: 8,
		Duration: 100 * time.Millisecond, Rounds: 3, Delay: time.Millisecond,
	})
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "bench.html")
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, r.WritePage(f))
	return file, r
}

func TestBenchShowsABarForEachWay(t *testing.T) {
	file, r := benchPage(t)
	browser := browse(t)
	for name, l := range map[string]look{"desk": desk, "night": night, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			w := open(t, browser, file, l)
			w.shoot("bench-" + name)
			plots := w.boxes("svg")
			require.Len(t, plots, 4, "calls and latencies of two workloads")
			for _, plot := range plots {
				require.Greater(t, plot.W, 350.0)
			}
			bars := w.boxes("svg rect")
			n := 0
			for _, c := range r.Cases {
				n += 2 * len(c.Results)
			}
			require.Len(t, bars, n)
			colours := map[string]bool{}
			for i, bar := range bars {
				require.Positive(t, bar.W, i)
				require.Greater(t, bar.H, 4.0)
				colours[w.fills("svg rect")[i]] = true
			}
			require.Len(t, colours, len(r.Cases[0].Results), "each way has its colour")
			first := r.Cases[0]
			a, b := first.Results[0].Median.Rate, first.Results[1].Median.Rate
			require.InDelta(t, a/b, bars[0].W/bars[1].W, 0.1*max(1, a/b), "lengths are to scale")
			require.Len(t, w.boxes("table"), len(r.Cases))
			for _, label := range w.boxes("svg text") {
				require.True(t, label.X >= 0 && label.right() <= plots[0].right(), label.Text)
			}
			require.False(t, eval[bool](w, "document.documentElement.scrollWidth > innerWidth"), "only plots and tables scroll")
			for i, verdict := range w.boxes(".verdict") {
				require.Equal(t, r.Cases[i].Verdict, verdict.Text)
			}
		})
	}
}

// fills returns the colours of elements of a drawing.
func (w *window) fills(selector string) []string {
	w.t.Helper()
	return eval[[]string](w, `[...document.querySelectorAll("`+selector+`")].map(e => getComputedStyle(e).fill)`)
}
