package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/bench/internal/report"
)

// A part is a part of make bench whose samples are kept, and the function that makes its file
// smaller.
type part struct {
	file    string
	compact func(text []byte) ([]byte, error)
}

var parts = []part{
	{"machine.md", unchanged},
	{"go.txt", benchmarkLines}, {"compare.txt", benchmarkLines}, {"many.txt", benchmarkLines},
	{"pg.json", compactDocument}, {"db.json", compactDocument}, {"doors.json", compactDocument}, {"http.json", compactDocument}, {"picture.json", compactDocument},
	{"bench.json", compactReport}, {"demo.txt", demoLines},
}

func (p part) name() string { return strings.TrimSuffix(p.file, filepath.Ext(p.file)) }

// keep copies the samples of a run into the directory, as far as the run has them.
func keep(out io.Writer, from, to string) error {
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	kept := 0
	for _, p := range parts {
		text, err := os.ReadFile(filepath.Join(from, p.file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if text, err = p.compact(text); err != nil {
			return fmt.Errorf("%s: %w", p.file, err)
		}
		if len(text) == 0 {
			fmt.Fprintf(out, "%s has no samples: what was kept before stays\n", p.file)
			continue
		}
		about, err := os.ReadFile(filepath.Join(from, p.name()+".about"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, p.file), text, 0o666); err != nil {
			return err
		}
		if len(about) > 0 {
			if err := os.WriteFile(filepath.Join(to, p.name()+".about"), about, 0o666); err != nil {
				return err
			}
		}
		kept++
	}
	if kept == 0 {
		return fmt.Errorf("%s has no samples of make bench", from)
	}
	return nil
}

func unchanged(text []byte) ([]byte, error) { return text, nil }

// benchmarkLines keeps the results of benchmarks, the names of their packages, and what is missing.
func benchmarkLines(text []byte) ([]byte, error) {
	return lines(text, func(line string) bool {
		return strings.HasPrefix(line, "pkg:") || strings.HasPrefix(line, "MISSING:") || strings.HasPrefix(line, "Benchmark") && strings.Contains(line, "/op")
	}), nil
}

// lines keeps lines, with single blanks between their words.
func lines(text []byte, wanted func(line string) bool) []byte {
	var out bytes.Buffer
	for line := range strings.Lines(string(text)) {
		if line = strings.Join(strings.Fields(line), " "); wanted(line) {
			out.WriteString(line + "\n")
		}
	}
	return out.Bytes()
}

func compactDocument(text []byte) ([]byte, error) {
	d, err := report.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(d.Records) == 0 {
		return nil, nil // the part was skipped, because wrk is missing, for instance
	}
	return d.Compact()
}

// A store reads samples that were kept.
type store struct{ dir string }

// read returns a file, or an error with errUnmeasured if it isn't there.
func (s *store) read(file string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", file, errUnmeasured)
	}
	return text, err
}

// about returns a line that says where and when a part was measured, or "".
func (s *store) about(part string) string {
	text, err := s.read(part + ".about")
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return ""
	}
	return "\n" + string(bytes.TrimSpace(text)) + "\n"
}

// document returns the results of a program of this module.
func (s *store) document(part string) (*report.Document, error) {
	text, err := s.read(part + ".json")
	if err != nil {
		return nil, err
	}
	return report.Parse(text)
}

// benchmarks are the figures of Go's benchmarks: by the last element of the package's path and the
// benchmark's name, then by unit. The bridge's package is "repaint".
type benchmarks struct {
	figures map[string]map[string][]float64
	missing []string
}

func (s *store) benchmarks(part string) (*benchmarks, error) {
	text, err := s.read(part + ".txt")
	if err != nil {
		return nil, err
	}
	b := &benchmarks{figures: make(map[string]map[string][]float64)}
	pkg := ""
	input := bufio.NewScanner(bytes.NewReader(text))
	for input.Scan() {
		words := strings.Fields(input.Text())
		switch {
		case len(words) == 2 && words[0] == "pkg:":
			pkg = words[1][strings.LastIndex(words[1], "/")+1:] + " "
		case len(words) > 1 && words[0] == "MISSING:":
			b.missing = append(b.missing, strings.TrimPrefix(input.Text(), "MISSING: "))
		case len(words) >= 4:
			name := pkg + withoutProcessors(strings.TrimPrefix(words[0], "Benchmark"))
			if b.figures[name] == nil {
				b.figures[name] = make(map[string][]float64)
			}
			for i := 2; i+1 < len(words); i += 2 {
				v, err := strconv.ParseFloat(words[i], 64)
				if err != nil {
					return nil, fmt.Errorf("%s.txt: %s: %w", part, input.Text(), err)
				}
				b.figures[name][words[i+1]] = append(b.figures[name][words[i+1]], v)
			}
		}
	}
	return b, input.Err()
}

// withoutProcessors removes the number of processors, which go test appends to a benchmark's name.
func withoutProcessors(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}

// median returns 0 if there is none.
func (b *benchmarks) median(name, unit string) float64 {
	values := slices.Sorted(slices.Values(b.figures[name][unit]))
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}
