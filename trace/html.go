package trace

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/seed1239206e/repaint/internal/webpage"
)

//go:embed page/style.css
var pageStyle string

//go:embed page/script.js
var pageScript string

//go:embed page/body.html
var pageText string

var pageBody = template.Must(template.New("trace").Parse(pageText))

// WriteHTML writes the timeline as one HTML page, which needs nothing else. It may be called while
// the trace records: the page then has what was recorded until now. An error is that of w.
func (t *Trace) WriteHTML(w io.Writer) error {
	r := t.snapshot()
	data := r.timeline().data()
	return webpage.Write(w, webpage.Page{
		Title:  "Timeline of " + r.began.Format(time.DateTime),
		Style:  pageStyle,
		Script: pageScript,
		Body:   pageBody,
		View:   r.summary(len(data.Tracks)),
		Data:   data,
	})
}

// summary says how much was recorded.
func (r *recording) summary(tracks int) string {
	text := fmt.Sprintf("%d events in %v from %s on, %d tracks", len(r.events), r.lasted.Round(time.Microsecond), r.began.Format(time.DateTime), tracks)
	if r.dropped > 0 {
		text += fmt.Sprintf("; %d older events were dropped, those of the first %v (trace.Limit keeps more)", r.dropped, r.first().Round(time.Microsecond))
	}
	return text
}

// pageData is a timeline for the page's script. Times are in nanoseconds from the trace's
// beginning.
type pageData struct {
	// First is the time of the oldest event that was kept, from which on the page can show
	// something.
	First   int64       `json:"first"`
	Lasted  int64       `json:"lasted"`
	Strings []string    `json:"strings"`
	Groups  []string    `json:"groups"`
	Tracks  []pageTrack `json:"tracks"`
}

type pageTrack struct {
	Name   string `json:"name"`
	About  string `json:"about,omitempty"`
	Group  int    `json:"group"`
	Levels int    `json:"levels"`
	// Spans has six numbers for each: when it begins, counted from the beginning of the one before,
	// how long it is, its kind, its text's index, the track that it has to do with, or -1, and its
	// level.
	Spans []int64 `json:"spans"`
	// Marks has two numbers for each write: when it was, and how many bytes.
	Marks []int64 `json:"marks,omitempty"`
}

func (t *timeline) data() *pageData {
	d := &pageData{First: int64(t.first), Lasted: int64(t.lasted), Strings: []string{""}, Groups: []string{}, Tracks: []pageTrack{}}
	index := map[string]int64{"": 0}
	for n, g := range t.groups {
		d.Groups = append(d.Groups, g.name)
		for _, of := range g.tracks {
			p := pageTrack{Name: of.name, About: of.about, Group: n, Levels: of.levels, Spans: []int64{}}
			var last time.Duration
			for _, s := range of.spans {
				text, known := index[s.text]
				if !known {
					text = int64(len(d.Strings))
					index[s.text] = text
					d.Strings = append(d.Strings, s.text)
				}
				other := int64(-1)
				if s.other != nil {
					other = int64(s.other.index)
				}
				p.Spans = append(p.Spans, int64(s.from-last), int64(s.to-s.from), int64(s.kind), text, other, int64(s.level))
				last = s.from
			}
			for _, m := range of.marks {
				p.Marks = append(p.Marks, int64(m.at), int64(m.bytes))
			}
			d.Tracks = append(d.Tracks, p)
		}
	}
	return d
}
