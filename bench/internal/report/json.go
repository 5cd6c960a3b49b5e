package report

import (
	"encoding/json"
	"os"
	"runtime"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// A Document is what the flag -json writes.
type Document struct {
	Go      string   `json:"go"`
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Cores   int      `json:"cores"`
	Servers []string `json:"servers"`
	Missing []string `json:"missing"` // contestants that weren't there
	Records []record `json:"records"`
	Goals   []goal   `json:"goals"`
}

type record struct {
	*Record
	Median measure.Sample `json:"median"`
	Spread float64        `json:"spread"`
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
	d := Document{Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Servers: servers, Missing: missing}
	for _, x := range r.Records {
		d.Records = append(d.Records, record{x, x.Median(), x.Spread()})
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
