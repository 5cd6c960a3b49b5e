package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func TestTheDocumentationIsAsTheSamplesHaveIt(t *testing.T) {
	require.NoError(t, run(io.Discard, "../..", "../samples", "", true))
}

// results makes the output of a run of make bench: some samples of each kind.
func results(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	write("machine.md", "- a machine\n")
	write("go.txt", "goos: linux\npkg: github.com/seed1239206e/repaint/greenlet\n"+
		"BenchmarkSwitch/greenlet-2   \t 100\t  40.0 ns/op\t 0 B/op\t 0 allocs/op\nBenchmarkSwitch/greenlet-2   \t 100\t  60.0 ns/op\t 0 B/op\t 0 allocs/op\n"+
		"BenchmarkSwitch/iter.Pull-2   \t 100\t  25.0 ns/op\t 0 B/op\t 0 allocs/op\nBenchmarkSwitch/channel-2   \t 100\t  200.0 ns/op\t 0 B/op\t 0 allocs/op\nPASS\n")
	write("go.about", "(Measured on a machine.)\n")
	write("demo.txt", "1. 1000 requests\n   goroutines            11000    90.34µs        2000\n   greenlets, Loader     44000    20.66µs           2\n   goroutines         ##### 1.0 x\n")
	write("bench.json", `{"server": "PostgreSQL 15", "cases": [{"workload": "point", "callers": 1, "helps": true, "results": [
		{"way": "pgxpool", "median": {"calls_per_second": 1000}}, {"way": "repaint, goroutines", "median": {"calls_per_second": 2500}, "ratio": {"median": 2.5, "least": 2, "most": 3}}]}]}`)
	r := &report.Results{Syncs: []report.Count{{Contestant: webPg, Of: "/db", N: 1}}}
	for round := range 3 {
		slow := float64(round + 1) // each round is slower than the one before
		for _, trip := range []time.Duration{0, far} {
			for i, x := range shown {
				r.Add(shownCase(trip), x.contestant, measure.Sample{Rate: float64(12_340*(i+1)) / slow, CPU: 10 * slow})
			}
			for _, route := range []string{"/db", "/updates?n=20"} {
				c := report.Case{Workload: route, Callers: 256, RoundTrip: trip}
				r.Add(c, webPool, measure.Sample{Rate: 1000 / slow, P99: 2000, CPU: 300, Connections: 16})
				r.Add(c, webPg, measure.Sample{Rate: 2500 / slow, P99: 1000, CPU: 100, Connections: 16})
			}
		}
	}
	goals := []report.Goal{r.Ratio("many times", shownCase(0), "pg, goroutines", "pgxpool of 16", report.Column{Head: "calls/s", Of: rate}, 3.5, false)}
	for _, part := range []string{"picture", "http", "pg"} {
		require.NoError(t, r.WriteFile(filepath.Join(dir, part+".json"), []string{"PostgreSQL 15"}, []string{"asyncpg: not here"}, goals))
	}
	return dir
}

// made runs the program on a copy of the documents, and returns README and performance.md.
func made(t *testing.T, from string) (root, readme, performance string) {
	t.Helper()
	root = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "docs"), 0o777))
	for _, name := range documents {
		text, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), text, 0o666))
	}
	samples := filepath.Join(root, "samples")
	require.NoError(t, run(io.Discard, root, samples, from, false))
	require.NoError(t, run(io.Discard, root, samples, "", true), "what was written is as the samples have it")
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		return string(text)
	}
	return root, read("README.md"), read("docs/performance.md")
}

func TestTablesAreMadeFromARun(t *testing.T) {
	root, readme, performance := made(t, results(t))
	for _, want := range []string{
		"| point select, 256 callers, 1 ms away | 3.00 × pgxpool of 16 | 18,510/s, 1.00 × the client's CPU time |\n",
		"| net/http, a row as JSON, 1 ms away | 2.50 × pgxpool | 1,250 requests/s, 16 connections |\n",
		"| switch between greenlets | 0.25 × an unbuffered channel | 50.0 ns, 0 allocs |\n",
	} {
		require.Contains(t, readme, want)
	}
	for _, want := range []string{
		"- a machine\n",
		"| switch | **2.00** | ≤ 1.25 | 50.0 ns, 0 allocs | bare iter.Pull 25.0 ns, unbuffered channel 200 ns (0.25 ×), Python's greenlet – |\n",
		"\n(Measured on a machine.)\n",
		"(Not measured yet: `make bench PARTS=doors`.)",
		"Missing in this run: asyncpg: not here.\n",
		"| many times: pg, goroutines | ≥ 3.5 | 3.00 | **missed** | calls/s 18,510 ÷ 6,170 of pgxpool of 16 |\n",
		"**Ordinary net/http handlers answer 2.50 times pgxpool's requests for a row, and ? times those for 20 queries, with\n16 connections",
		"| `/db`, 256 connections | 500 | 2.50 ×, 1,250 | – | – | – |\n",
		"| `/updates?n=20`, 256 connections | 2.00, 300, 16 | 1.00, 100, 16 | – | – | – |\n",
		"| net/http, pg | 1 |\n",
		"| point, 1 caller | 1,000 | 2.50 × (2.00–3.00), 2,500 | yes |\n",
		"| greenlets, Loader | 4.00 | 44,000 | 2 |\n",
	} {
		require.Contains(t, performance, want)
	}
	svg, err := os.ReadFile(filepath.Join(root, pictureFile))
	require.NoError(t, err)
	for _, text := range []string{"pgxpool of 16", "repaint, one loop", "1 ms away:", "1.0 ×, 6,200", "4.0 ×, 24,700"} {
		require.Contains(t, string(svg), text)
	}
}

func TestAPartThatARunLacksKeepsWhatItHad(t *testing.T) {
	from := results(t)
	samples := t.TempDir()
	require.NoError(t, keep(io.Discard, from, samples))
	before, err := os.ReadFile(filepath.Join(samples, "pg.json"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(from, "pg.json")))
	require.NoError(t, new(report.Results).WriteFile(filepath.Join(from, "http.json"), nil, []string{"wrk"}, nil))
	var said strings.Builder
	require.NoError(t, keep(&said, from, samples))
	require.Equal(t, "http.json has no samples: what was kept before stays\n", said.String())
	for _, file := range []string{"pg.json", "http.json"} {
		after, err := os.ReadFile(filepath.Join(samples, file))
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), file)
	}
	require.ErrorContains(t, keep(io.Discard, t.TempDir(), samples), "has no samples of make bench")
}

func TestASampleThatChangesMakesACheckFail(t *testing.T) {
	root, _, _ := made(t, results(t))
	file := filepath.Join(root, "samples", "go.txt")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), " 200.0 ", " 100.0 ")), 0o666))
	err = run(io.Discard, root, filepath.Join(root, "samples"), "", true)
	require.ErrorContains(t, err, "README.md isn't as the samples have it")
	require.ErrorContains(t, err, "docs/performance.md isn't as the samples have it")
	require.Error(t, run(io.Discard, root, root, "anywhere", true), "-check writes nothing")
}

func TestMarkersComeInPairsAndHaveATable(t *testing.T) {
	s := &store{dir: t.TempDir()}
	for text, want := range map[string]string{
		"<!-- bench:greenlet -->\n":                               "there is no <!-- /bench:greenlet -->",
		"<!-- bench:nothing -->\n<!-- /bench:nothing -->\n":       "there is no such table",
		"text\n<!-- /bench:greenlet -->\n":                        "without its other half: <!-- /bench:greenlet -->",
		"<!-- bench:loop -->\n<!-- /bench:loop -->\n<!-- bench:x": "without its other half: <!-- bench:x",
	} {
		_, err := rewrite("doc.md", []byte(text), s, map[string]bool{})
		require.ErrorContains(t, err, want, text)
	}
	used := map[string]bool{}
	text, err := rewrite("doc.md", []byte("a\n<!-- bench:loop -->\nold\n<!-- /bench:loop -->\nb\n"), s, used)
	require.NoError(t, err)
	require.Equal(t, "a\n<!-- bench:loop -->\n\n(Not measured yet: `make bench PARTS=go`.)\n\n<!-- /bench:loop -->\nb\n", string(text))
	require.True(t, used["loop"])
}

func TestWhatIsMissingInThePictureIsSaid(t *testing.T) {
	dir := t.TempDir()
	r := new(report.Results)
	r.Add(shownCase(0), shown[0].contestant, measure.Sample{Rate: 1})
	require.NoError(t, r.WriteFile(filepath.Join(dir, "picture.json"), nil, nil, nil))
	_, err := (&store{dir: dir}).picture()
	require.ErrorContains(t, err, "1 of the 8 results")
	_, err = (&store{dir: t.TempDir()}).picture()
	require.True(t, errors.Is(err, errUnmeasured))
}

// Every name that a table compares exists in the benchmarks. A renamed benchmark would leave a
// dash.
func TestTheTablesNameBenchmarksThatExist(t *testing.T) {
	sources := map[string]string{}
	for pkg, dir := range map[string]string{"greenlet": "../../greenlet", "loop": "../../loop", "trace": "../../trace", "coop": "../../coop", "pg": "../../pg"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			sources[pkg] += string(text)
		}
	}
	for _, rows := range [][]comparison{greenletRows, loopRows, traceRows, coopRows, pgTransactionRows} {
		for _, row := range rows {
			names := []string{row.ours}
			for _, p := range row.peers {
				names = append(names, p.benchmark)
			}
			for _, name := range names {
				pkg, benchmark, _ := strings.Cut(name, " ")
				function, _, _ := strings.Cut(benchmark, "/")
				require.Contains(t, sources[pkg], "func Benchmark"+function+"(", name)
			}
		}
	}
	loops, err := os.ReadFile("../loop/loop_test.go")
	require.NoError(t, err)
	for _, row := range bridgeRows {
		require.Contains(t, string(loops), `{"`+row.workload+`", []contender`)
	}
}
