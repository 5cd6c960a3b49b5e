package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var opening = regexp.MustCompile(`<!-- bench:([a-z0-9-]+) -->\n`)

// rewrite replaces the text between the markers of a document, and notes which markers there are.
func rewrite(name string, text []byte, s *store, used map[string]bool) ([]byte, error) {
	var out bytes.Buffer
	rest := text
	for {
		at := opening.FindSubmatchIndex(rest)
		if at == nil {
			break
		}
		block := string(rest[at[2]:at[3]])
		end := bytes.Index(rest[at[1]:], []byte(closing(block)))
		if end < 0 {
			return nil, fmt.Errorf("%s: there is no %s", name, closing(block))
		}
		made, err := generate(block, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, block, err)
		}
		out.Write(rest[:at[1]])
		out.WriteString(made)
		rest = rest[at[1]+end:]
		used[block] = true
	}
	if stray := regexp.MustCompile(`<!-- /?bench:.*`).Find(bytes.ReplaceAll(rest, []byte(lastClosing(text)), nil)); stray != nil {
		return nil, fmt.Errorf("%s: a marker without its other half: %s", name, stray)
	}
	out.Write(rest)
	return out.Bytes(), nil
}

func closing(block string) string { return "<!-- /bench:" + block + " -->" }

// lastClosing is the marker with which the text after the last table begins.
func lastClosing(text []byte) string {
	all := opening.FindAllSubmatch(text, -1)
	if len(all) == 0 {
		return "\x00"
	}
	return closing(string(all[len(all)-1][1]))
}

// errUnmeasured is wrapped by the error about a part without samples.
var errUnmeasured = errors.New("it wasn't measured")

// generate returns the text between the markers, with blank lines around a table.
func generate(name string, s *store) (string, error) {
	for _, b := range blocks {
		if b.name != name {
			continue
		}
		var out strings.Builder
		err := b.write(s, &out)
		switch {
		case errors.Is(err, errUnmeasured):
			return fmt.Sprintf("\n(Not measured yet: `make bench PARTS=%s`.)\n\n", b.part), nil
		case err != nil:
			return "", err
		case b.bare:
			return out.String(), nil
		}
		return "\n" + out.String() + s.about(b.part) + "\n", nil
	}
	return "", errors.New("there is no such table; see blocks")
}
