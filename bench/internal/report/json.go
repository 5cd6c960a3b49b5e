package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// A Document is the output of the flag -json. Documentation is made from it.
type Document struct {
	Go      string   `json:"go"`
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Cores   int      `json:"cores"`
	Servers []string `json:"servers"`
	Missing []string `json:"missing"` // contestants that were missing
	Records []record `json:"records"`
	Goals   []goal   `json:"goals"`
	// Syncs says how many Syncs a contestant sends for a request, where that was counted.
	Syncs []Count `json:"syncs,omitempty"`
}

// A Count is how often something happened.
type Count struct {
	Contestant string  `json:"contestant"`
	Of         string  `json:"of"`
	N          float64 `json:"n"`
}

type record struct {
	*Record
	Median *measure.Sample `json:"median,omitempty"`
	Spread float64         `json:"spread,omitempty"`
}

type goal struct {
	Text    string   `json:"text"`
	Limit   float64  `json:"limit"`
	AtMost  bool     `json:"at_most"`
	Value   *float64 `json:"value"` // null if it wasn't measured
	Met     bool     `json:"met"`
	Compare string   `json:"compared,omitempty"`
}

// WriteFile writes everything as JSON.
func (r *Results) WriteFile(name string, servers, missing []string, goals []Goal) error {
	d := Document{
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(),
		Servers: servers, Missing: missing, Syncs: r.Syncs,
	}
	for _, x := range r.Records {
		median := x.Median()
		d.Records = append(d.Records, record{x, &median, x.Spread()})
	}
	for _, g := range goals {
		one := goal{Text: g.Text, Limit: g.Limit, AtMost: g.Most, Met: g.Met(), Compare: g.Note}
		if g.Known {
			one.Value = &g.Value
		}
		d.Goals = append(d.Goals, one)
	}
	text, err := json.MarshalIndent(d, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

// Parse reads what WriteFile or Compact has written.
func Parse(text []byte) (*Document, error) {
	d := new(Document)
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("reading what was measured: %w", err)
	}
	return d, nil
}

// Results returns the records with their samples.
func (d *Document) Results() *Results {
	r := &Results{Syncs: d.Syncs}
	for _, x := range d.Records {
		if x.Record != nil && len(x.Samples) > 0 {
			r.Records = append(r.Records, x.Record)
		}
	}
	return r
}

// Outcomes returns the goals with their outcomes.
func (d *Document) Outcomes() (all []Goal) {
	for _, g := range d.Goals {
		one := Goal{Text: g.Text, Limit: g.Limit, Most: g.AtMost, Note: g.Compare, Known: g.Value != nil}
		if one.Known {
			one.Value = *g.Value
		}
		all = append(all, one)
	}
	return all
}

// Compact returns the document with one line for each record, with samples of four digits, and
// without anything that follows from the samples.
func (d *Document) Compact() ([]byte, error) {
	head := *d
	head.Records, head.Goals, head.Syncs = nil, nil, nil
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(bytes.Replace(text, []byte(`,"records":null,"goals":null}`), nil, 1))
	list := func(name string, n int, of func(i int) any) {
		fmt.Fprintf(out, ",\n%q: [", name)
		for i := range n {
			line, e := json.Marshal(of(i))
			if e != nil {
				err = e
			}
			fmt.Fprintf(out, "%s\n%s", map[bool]string{true: ",", false: ""}[i > 0], line)
		}
		out.WriteString("\n]")
	}
	list("records", len(d.Records), func(i int) any {
		x := *d.Records[i].Record
		x.Samples = nil
		for _, s := range d.Records[i].Samples {
			x.Samples = append(x.Samples, s.Rounded())
		}
		return x
	})
	list("goals", len(d.Goals), func(i int) any { return d.Goals[i] })
	list("syncs", len(d.Syncs), func(i int) any { return d.Syncs[i] })
	out.WriteString("}\n")
	return out.Bytes(), err
}
