package gauge

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// found returns a report as a run can make it.
func found() *Report {
	round := func(way string, rates ...float64) *Result {
		x := &Result{Way: way}
		for _, rate := range rates {
			x.Samples = append(x.Samples, Sample{Rate: rate, P50: 1e9 / rate, P99: 3e9 / rate, CPU: 81.7, Connections: 16, PerWrite: 7.25})
		}
		return x
	}
	r := &Report{
		Go: "go1.26", OS: "linux", Arch: "amd64", CPUs: 2, Connections: 16, Rounds: 3, Duration: Span(5 * time.Second), Delay: Span(time.Millisecond),
		Database: "postgres://somebody:***@a-server-with-a-long-name.example.com:5432/production", Server: "PostgreSQL 15", Notes: []string{"A note."},
		Cases: []*Case{
			{Workload: "point select", Statements: 1, Callers: 10_000, Results: []*Result{
				round("pgxpool", 10_000, 11_000, 12_000), round("repaint, goroutines", 62_000, 55_000, 72_000), round("repaint, one loop", 1_234_567, 1_300_000, 50_000),
			}},
			{Workload: "100 rows", Statements: 1, Callers: 1, Results: []*Result{round("pgxpool", 1000, 900, 1100), round("repaint, goroutines", 400, 500, 600)}},
		},
	}
	for _, c := range r.Cases {
		c.conclude()
	}
	return r
}

func printed(r *Report, width int) string {
	var out strings.Builder
	r.head(&out, width)
	for _, c := range r.Cases {
		c.print(&out, width)
	}
	r.foot(&out, width)
	return out.String()
}

func TestTablesFit(t *testing.T) {
	for _, width := range []int{40, 41, 60, 75, 76} {
		text := printed(found(), width)
		for line := range strings.Lines(text) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), width, line)
		}
		words := strings.Join(strings.Fields(text), " ")
		require.Contains(t, words, "1,234,567")
		require.Contains(t, words, "6.00")
		require.Contains(t, words, "A note.")
		require.Contains(t, words, "network: 1ms")
		require.Contains(t, words, "repaint doesn't help here: the best of its ways makes only 0.55 times as many calls as pgxpool.")
		require.Contains(t, words, "bench: repaint helps in 1 of 2 cases")
		require.NotContains(t, text, "\x1b", "no colours where there is no terminal")
	}
}

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		ratios []float64
		helps  bool
		says   string
	}{
		{[]float64{2, 3, 2.5}, true, "repaint helps: x makes 2.5 times as many calls as plain."},
		{[]float64{0.9, 1.3, 1.2}, false, "It isn't shown that repaint helps: x makes 1.20 times as many calls as plain, but 0.90 times in one round."},
		{[]float64{1.02, 0.97, 1.01}, false, "repaint doesn't help here: x makes 1.01 times as many calls as plain, which is no difference."},
		{[]float64{0.5, 0.6, 0.7}, false, "repaint doesn't help here: the best of its ways makes only 0.60 times as many calls as plain."},
	} {
		plain, x := &Result{Way: "plain"}, &Result{Way: "x"}
		for i, ratio := range c.ratios {
			rate := 1000 * float64(i+1) // which differs from round to round
			plain.Samples = append(plain.Samples, Sample{Rate: rate, CPU: 10})
			x.Samples = append(x.Samples, Sample{Rate: rate * ratio, CPU: 10})
		}
		got := &Case{Results: []*Result{plain, x}}
		got.conclude()
		require.Equal(t, c.says, got.Verdict)
		require.Equal(t, c.helps, got.Helps)
	}
	cheap := &Case{Results: []*Result{{Way: "plain", Samples: []Sample{{Rate: 1, CPU: 10}}}, {Way: "x", Samples: []Sample{{Rate: 1, CPU: 5}}}}}
	cheap.conclude()
	require.Contains(t, cheap.Verdict, "It takes 0.50 times the client's CPU time.")
	alone := &Case{Results: []*Result{{Way: "plain", Samples: []Sample{{Rate: 1}}}, {Way: "x"}}}
	alone.conclude()
	require.Equal(t, "Only plain was measured.", alone.Verdict)
	require.Len(t, alone.Results, 1, "what wasn't measured isn't shown")
}

func TestLatencies(t *testing.T) {
	var l latencies
	for i := range 10_000 {
		l.add(i, time.Duration(i+1)*time.Microsecond)
	}
	require.EqualValues(t, 10_000, l.count())
	require.InEpsilon(t, 5*time.Millisecond, l.quantile(0.5), 0.03)
	require.InEpsilon(t, 9900*time.Microsecond, l.quantile(0.99), 0.03)
	for _, d := range []time.Duration{0, 1, 31, 32, 33, 63, 64, 65, time.Second, time.Hour, 1<<63 - 1} {
		require.InDelta(t, d, middle(bucket(d)), float64(d)*0.035, "%d", d)
		require.Less(t, bucket(d), buckets)
	}
}
