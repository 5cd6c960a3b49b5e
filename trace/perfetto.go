package trace

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// WritePerfetto writes the timeline in Chrome's trace event format, as JSON. The page
// ui.perfetto.dev reads it, and chrome://tracing does. Each loop is a process there, each greenlet
// a thread, and a flow leads from the greenlet that gives control to the one that gets it. It may
// be called while the trace records: the file then has what was recorded until now. An error is
// that of w.
func (t *Trace) WritePerfetto(w io.Writer) error {
	r := t.snapshot()
	p := perfetto{out: bufio.NewWriter(w)}
	p.text(`{"displayTimeUnit":"ns","otherData":`)
	p.value(map[string]any{"began": r.began.Format(time.RFC3339Nano), "events": len(r.events), "dropped": r.dropped})
	p.text(`,"traceEvents":[`)
	flow := 0
	for n, g := range r.timeline().groups {
		p.event(perfettoEvent{Name: "process_name", Phase: "M", Process: n + 1, Args: map[string]any{"name": g.name}})
		p.event(perfettoEvent{Name: "process_sort_index", Phase: "M", Process: n + 1, Args: map[string]any{"sort_index": n}})
		for _, of := range g.tracks {
			p.track(n+1, of, &flow)
		}
	}
	p.text("]}\n")
	if p.err == nil {
		p.err = p.out.Flush()
	}
	if p.err != nil {
		return fmt.Errorf("writing the trace: %w", p.err)
	}
	return nil
}

// A perfettoEvent is an event of the format. Times are in microseconds.
type perfettoEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	Time     float64        `json:"ts"`
	Duration *float64       `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	ID       string         `json:"id,omitempty"`
	Binding  string         `json:"bp,omitempty"`
	Scope    string         `json:"s,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

// A perfetto writes events until the first error.
type perfetto struct {
	out   *bufio.Writer
	err   error
	comma bool
}

// track writes a track. What overlaps, as statements do on a connection, are asynchronous events
// there, because those of a thread must not.
func (p *perfetto) track(process int, of *track, flow *int) {
	thread := of.index + 1
	p.event(perfettoEvent{Name: "thread_name", Phase: "M", Process: process, Thread: thread, Args: map[string]any{"name": of.name}})
	p.event(perfettoEvent{Name: "thread_sort_index", Phase: "M", Process: process, Thread: thread, Args: map[string]any{"sort_index": of.index}})
	for n, s := range of.spans {
		e := perfettoEvent{Name: spanNames[s.kind], Category: spanNames[s.kind], Phase: "X", Time: micros(s.from), Process: process, Thread: thread}
		if s.text != "" {
			e.Name = s.text
		}
		if of.kind == aConnection {
			e.Phase, e.ID = "b", fmt.Sprintf("%d.%d", thread, n)
			p.event(e)
			e.Phase, e.Time = "e", micros(s.to)
			p.event(e)
			continue
		}
		d := micros(s.to) - e.Time
		e.Duration = &d
		if of.about != "" {
			e.Args = map[string]any{"task": of.about}
		}
		p.event(e)
		if s.kind == running && s.other != nil {
			*flow++
			f := perfettoEvent{Name: "control", Category: "control", Phase: "s", Time: e.Time, ID: fmt.Sprint(*flow), Process: s.other.group + 1, Thread: s.other.index + 1}
			p.event(f)
			f.Phase, f.Binding, f.Process, f.Thread = "f", "e", process, thread
			p.event(f)
		}
	}
	for _, m := range of.marks {
		p.event(perfettoEvent{Name: "write", Category: "write", Phase: "i", Scope: "t", Time: micros(m.at), Process: process, Thread: thread, Args: map[string]any{"bytes": m.bytes}})
	}
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

func (p *perfetto) event(e perfettoEvent) {
	if p.comma {
		p.text(",\n")
	}
	p.comma = true
	p.value(e)
}

func (p *perfetto) value(v any) {
	if p.err != nil {
		return
	}
	var text []byte
	if text, p.err = json.Marshal(v); p.err == nil {
		_, p.err = p.out.Write(text)
	}
}

func (p *perfetto) text(s string) {
	if p.err == nil {
		_, p.err = p.out.WriteString(s)
	}
}
