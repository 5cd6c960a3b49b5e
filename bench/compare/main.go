// Compare runs the workloads of bench/loop and of bench/peers, in turns, and prints the medians as
// a Markdown table.
//
//	cd bench && go run ./compare
//	cd bench && go run ./compare -raw compare.txt   all figures, too, in the format of Go's benchmarks
//
// The peers in Python need Debian's packages python3, python3-sqlalchemy and python3-gevent.
// Compare says what is missing, and leaves it out.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/grid"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each is run")
	length := flag.Duration("time", 200*time.Millisecond, "how long each workload runs, in each round")
	python := flag.String("python", "", "the Python interpreter; else the first of python3 and /usr/bin/python3 that has a peer's modules")
	raw := flag.String("raw", "", "a file for all figures, in the format of Go's benchmarks")
	flag.Parse()
	if err := compare(os.Stdout, os.Stderr, *rounds, *length, *python, *raw); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// A contestant is a program that prints figures.
type contestant struct {
	name    string // the contender of all its figures, if the program itself doesn't name one
	command []string
}

func (c contestant) String() string {
	if c.name == "" {
		return "Go"
	}
	return c.name
}

// figures are nanoseconds by workload and contender, one for each round.
type figures struct {
	workloads  []string // in the order in which they came
	contenders []string
	all        map[[2]string][]float64
}

func (f *figures) add(workload, contender string, ns float64) {
	if f.all == nil {
		f.all = make(map[[2]string][]float64)
	}
	if !slices.Contains(f.workloads, workload) {
		f.workloads = append(f.workloads, workload)
	}
	if !slices.Contains(f.contenders, contender) {
		f.contenders = append(f.contenders, contender)
	}
	key := [2]string{workload, contender}
	f.all[key] = append(f.all[key], ns)
}

// median returns 0 if there is none.
func (f *figures) median(workload, contender string) float64 {
	s := slices.Sorted(slices.Values(f.all[[2]string{workload, contender}]))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 0:
		return (s[n/2-1] + s[n/2]) / 2
	default:
		return s[n/2]
	}
}

func compare(out, progress io.Writer, rounds int, length time.Duration, python, raw string) error {
	dir, err := benchDir()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "repaint-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	program := filepath.Join(temp, "loop.test")
	build := exec.Command("go", "test", "-c", "-o", program, "./loop")
	build.Dir = dir
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building bench/loop: %w\n%s", err, text)
	}
	contestants := []contestant{{"", []string{program, "-test.run=^$", "-test.bench=^BenchmarkLoop$", "-test.benchtime=" + length.String()}}}
	var missing []string
	for _, peer := range []struct{ name, module, packages string }{
		{"asyncio", "asyncio", "python3"},
		{"sqlalchemy", "sqlalchemy, greenlet", "python3-sqlalchemy python3-greenlet"},
		{"gevent", "gevent", "python3-gevent"},
	} {
		interpreter := interpreterFor(peer.module, python)
		if interpreter == "" {
			missing = append(missing, fmt.Sprintf("%s (no Python that can import %s; Debian: apt-get install %s)", peer.name, peer.module, peer.packages))
			continue
		}
		script := filepath.Join(dir, "peers", peer.name+"_peer.py")
		contestants = append(contestants, contestant{peer.name, []string{interpreter, "-B", script, fmt.Sprint(length.Seconds())}})
	}
	var f figures
	var notes []string
	for round := range rounds {
		for _, c := range contestants {
			fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, rounds, c.String())
			text, err := exec.Command(c.command[0], c.command[1:]...).Output()
			if err != nil {
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					err = fmt.Errorf("%w\n%s", err, exit.Stderr)
				}
				return fmt.Errorf("%s: %w", strings.Join(c.command, " "), err)
			}
			notes = append(notes, read(&f, c.name, string(text))...)
		}
		slices.Reverse(contestants) // so that no contestant always comes after the same one
	}
	slices.Sort(notes)
	table(out, &f, slices.Compact(notes), missing, rounds)
	if raw == "" {
		return nil
	}
	return os.WriteFile(raw, f.raw(missing), 0o644)
}

// raw writes what is missing, and then each figure as a line of Go's benchmarks.
func (f *figures) raw(missing []string) []byte {
	var out bytes.Buffer
	for _, m := range missing {
		fmt.Fprintf(&out, "MISSING: %s\n", m)
	}
	for _, w := range f.workloads {
		for _, c := range f.contenders {
			for _, ns := range f.all[[2]string{w, c}] {
				fmt.Fprintf(&out, "BenchmarkLoop/%s/%s 1 %s ns/op\n", w, c, strconv.FormatFloat(ns, 'g', 4, 64))
			}
		}
	}
	return out.Bytes()
}

// benchDir finds the module: the working directory, or a bench below it.
func benchDir() (string, error) {
	for _, dir := range []string{".", "bench", ".."} {
		if _, err := os.Stat(filepath.Join(dir, "peers", "workloads.py")); err == nil {
			return filepath.Abs(dir)
		}
	}
	return "", errors.New("call it in the directory bench")
}

// interpreterFor returns a Python that has the modules, or "".
func interpreterFor(modules, wanted string) string {
	candidates := []string{"python3", "/usr/bin/python3"}
	if wanted != "" {
		candidates = []string{wanted}
	}
	for _, c := range candidates {
		if exec.Command(c, "-c", "import "+modules).Run() == nil {
			return c
		}
	}
	return ""
}

var benchmark = regexp.MustCompile(`^BenchmarkLoop/(\w+)/(\w+)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op`)

// read takes figures from the output of a contestant, and returns its notes.
func read(f *figures, name, text string) (notes []string) {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		if note, ok := strings.CutPrefix(line, "# "); ok {
			notes = append(notes, note)
		} else if m := benchmark.FindStringSubmatch(line); m != nil {
			if ns, err := strconv.ParseFloat(m[3], 64); err == nil {
				f.add(m[1], m[2], ns)
			}
		} else if words := strings.Fields(line); name != "" && len(words) == 2 {
			if ns, err := strconv.ParseFloat(words[1], 64); err == nil {
				f.add(words[0], name, ns)
			}
		}
	}
	return notes
}

// table prints the medians, and how many times repaint's each is.
func table(out io.Writer, f *figures, notes, missing []string, rounds int) {
	const own = "repaint"
	peers := slices.DeleteFunc(slices.Clone(f.contenders), func(c string) bool { return c == own })
	t := grid.New(append([]string{"nanoseconds", own}, peers...)...)
	for _, w := range f.workloads {
		base := f.median(w, own)
		row := []string{w, grid.Known(base)}
		for _, p := range peers {
			ns := f.median(w, p)
			text := grid.Known(ns)
			if ns > 0 && base > 0 {
				text += fmt.Sprintf(" (%s ×)", grid.Short(ns/base))
			}
			row = append(row, text)
		}
		t.Row(row...)
	}
	t.Markdown(out)
	fmt.Fprintf(out, "\nMedians of %d rounds in turns; in brackets how many times repaint's. %s on %s/%s with %d cores", rounds, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, n := range notes {
		fmt.Fprintf(out, "; %s", n)
	}
	fmt.Fprintln(out, ".")
	if missing == nil {
		fmt.Fprintln(out, "No peer is missing.")
		return
	}
	for _, m := range missing {
		fmt.Fprintf(out, "MISSING: %s\n", m)
	}
}
