// Tables makes the figures of the documentation from samples: the tables between markers, and
// README's picture.
//
//	cd bench && go run ./tables                 from the samples in bench/samples
//	cd bench && go run ./tables -from DIR       from a run of make bench, whose samples it keeps first
//	cd bench && go run ./tables -check          only says what isn't as the samples have it
//
// A table stands between <!-- bench:NAME --> and <!-- /bench:NAME -->. To add one, append it to
// blocks, and write its markers into a document.
//
// bench/samples has one file for each part of make bench, with all samples. Go's benchmarks are in
// their own format. The samples of other programs are JSON, with one line for each contestant in a
// case. A file with the ending .about says where and when they were taken. A part that a run lacks
// keeps its old samples.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "..", "the directory whose README.md and docs are written")
	samples := flag.String("samples", "samples", "the directory with the samples")
	from := flag.String("from", "", "a directory of make bench, whose samples are kept first")
	check := flag.Bool("check", false, "write nothing, and fail if something isn't as the samples have it")
	flag.Parse()
	if err := run(os.Stdout, *root, *samples, *from, *check); err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

// documents are the documents with markers.
var documents = []string{"README.md", "docs/performance.md"}

const pictureFile = "docs/gain.svg"

func run(out io.Writer, root, samples, from string, check bool) error {
	if from != "" {
		if check {
			return errors.New("-check writes nothing, so it can't keep the samples of -from")
		}
		if err := keep(out, from, samples); err != nil {
			return err
		}
	}
	s := &store{dir: samples}
	made := make(map[string][]byte)
	used := make(map[string]bool)
	for _, name := range documents {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		if made[name], err = rewrite(name, text, s, used); err != nil {
			return err
		}
	}
	for _, b := range blocks {
		if !used[b.name] {
			return fmt.Errorf("no document has the markers of the table %q", b.name)
		}
	}
	picture, err := s.picture()
	switch {
	case errors.Is(err, errUnmeasured):
	case err != nil:
		return err
	default:
		made[pictureFile] = picture
	}
	return write(out, root, made, check)
}

// write writes the files that differ, or only says which these are.
func write(out io.Writer, root string, made map[string][]byte, check bool) error {
	var errs []error
	for _, name := range append(documents, pictureFile) {
		text, ok := made[name]
		if !ok {
			continue
		}
		file := filepath.Join(root, name)
		old, err := os.ReadFile(file)
		switch {
		case err == nil && bytes.Equal(old, text):
		case check:
			errs = append(errs, fmt.Errorf("%s isn't as the samples have it: run go run ./tables in bench", name))
		default:
			errs = append(errs, os.WriteFile(file, text, 0o666))
			fmt.Fprintln(out, "written:", name)
		}
	}
	return errors.Join(errs...)
}
