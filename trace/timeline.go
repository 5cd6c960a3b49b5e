package trace

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A timeline is a recording as tracks of spans.
type timeline struct {
	first    time.Duration // when the oldest event was that isn't dropped; 0 if none is
	lasted   time.Duration
	groups   []*group
	byNumber map[uint32]*track
}

// A group is a loop with its tasks, or what belongs to no loop.
type group struct {
	name   string
	tracks []*track
}

// A track is the life of an actor. The spans of a greenlet or loop follow one another. Those of a
// connection overlap, and stand in levels.
type track struct {
	name   string // short
	about  string // the rest of the name
	kind   actorKind
	group  int // its index
	index  int // in all tracks, in the order of the page
	first  time.Duration
	spans  []span
	marks  []mark
	levels int

	// Of the greenlet's present state.
	since  time.Duration
	state  spanKind
	text   string
	other  *track
	begun  bool   // there is a state
	waits  string // what it waits for, or is about to; or ""
	drives bool   // it is a main function that waits, and so runs its loop
	open   map[uint64]openStatement
}

type openStatement struct {
	from time.Duration
	text string
}

type spanKind uint8

const (
	running   spanKind = iota
	waiting            // text is what for
	handed             // control to another greenlet, to which it is to come back
	ticking            // of a loop
	sleeping           // of a loop
	executing          // of a connection; text is the statement
	failing            // the same, and the answer is an error
)

var spanNames = [...]string{"runs", "waits", "gave control away", "tick", "sleeps", "statement", "statement"}

// A span is a part of a track.
type span struct {
	from, to time.Duration
	kind     spanKind
	text     string
	other    *track // from which it got control, or to which it has given it; nil if that isn't known
	level    int
}

// A mark is a write of a connection.
type mark struct {
	at    time.Duration
	bytes int
}

// timeline makes the tracks of what was recorded.
func (r *recording) timeline() *timeline {
	t := &timeline{first: r.first(), lasted: r.lasted, byNumber: map[uint32]*track{}}
	for _, e := range r.events {
		of := t.track(r, e.of, e.at)
		switch e.kind {
		case switches, dies:
			to := t.track(r, e.to, e.at)
			of.leave(e.at, to, e.kind == dies)
			to.enter(e.at, of)
		case waits:
			of.wait(e.at, e.text, r.actors[e.of].main)
		case resumes:
			of.resume(e.at)
		case over:
			of.drives = false
			of.finish(e.at)
		case tickBegins:
			of.become(e.at, ticking, "", nil)
		case sleepBegins:
			of.become(e.at, sleeping, "", nil)
		case tickEnds, sleepEnds:
			of.finish(e.at)
		case sent:
			of.sent(e)
		case answered:
			of.answered(e)
		case flushed:
			of.marks = append(of.marks, mark{e.at, e.n})
		}
	}
	for _, of := range t.byNumber {
		of.finish(r.lasted)
		for _, s := range of.open {
			of.spans = append(of.spans, span{from: s.from, to: r.lasted, kind: executing, text: s.text})
		}
		if of.kind == aConnection {
			of.stack()
		}
	}
	t.arrange(r)
	return t
}

// first returns the time from which on nothing was dropped.
func (r *recording) first() time.Duration {
	if r.dropped == 0 || len(r.events) == 0 {
		return 0
	}
	return r.events[0].at
}

func (t *timeline) track(r *recording, number uint32, at time.Duration) *track {
	of := t.byNumber[number]
	if of == nil {
		a := r.actors[number]
		of = &track{kind: a.kind, first: at, levels: 1, open: map[uint64]openStatement{}}
		of.name, of.about = a.name, ""
		if name, about, found := strings.Cut(a.name, " ["); found && a.kind == aGreenlet {
			of.name, of.about = name, strings.TrimSuffix(about, "]")
		}
		if a.kind == aLoop {
			of.name = "ticks"
		}
		t.byNumber[number] = of
	}
	return of
}

// become ends the present state, and begins another.
func (of *track) become(at time.Duration, state spanKind, text string, other *track) {
	of.finish(at)
	of.since, of.state, of.text, of.other, of.begun = at, state, text, other, true
}

// finish ends the present state, if there is one.
func (of *track) finish(at time.Duration) {
	if of.begun {
		of.spans = append(of.spans, span{from: of.since, to: at, kind: of.state, text: of.text, other: of.other})
		of.begun = false
	}
}

// enter notes that a greenlet gets control from another.
func (of *track) enter(at time.Duration, from *track) {
	if !of.drives {
		of.become(at, running, "", from)
	}
}

// leave notes that a greenlet gives control to another.
func (of *track) leave(at time.Duration, to *track, dead bool) {
	if !of.begun && !of.drives { // it ran when the trace began
		of.since, of.state, of.begun = min(of.first, at), running, true
	}
	switch {
	case of.drives:
	case dead:
		of.finish(at)
	case of.waits != "":
		of.become(at, waiting, of.waits, to)
	default:
		of.become(at, handed, "", to)
	}
}

// wait notes that a task is about to wait. The wait of a task begins when it gives control away. A
// main function waits at once, and runs its loop meanwhile.
func (of *track) wait(at time.Duration, what string, main bool) {
	of.waits = what
	if main {
		if !of.begun && at > 0 {
			of.since, of.state, of.begun = of.first, running, true
		}
		of.become(at, waiting, what, nil)
		of.drives = true
	}
}

func (of *track) resume(at time.Duration) {
	of.waits = ""
	if of.drives {
		of.drives = false
		of.become(at, running, "", nil)
	}
}

func (of *track) sent(e event) { of.open[e.id] = openStatement{e.at, e.text} }

func (of *track) answered(e event) {
	s, known := of.open[e.id]
	if !known {
		return // it was sent before the oldest event
	}
	delete(of.open, e.id)
	kind, text := executing, s.text
	if e.text != "" {
		kind, text = failing, text+": "+e.text
	}
	of.spans = append(of.spans, span{from: s.from, to: e.at, kind: kind, text: text})
}

// stack gives the spans of a connection levels, so that they don't overlap.
func (of *track) stack() {
	slices.SortFunc(of.spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var until []time.Duration // of the levels
	for i := range of.spans {
		s := &of.spans[i]
		s.level = slices.IndexFunc(until, func(d time.Duration) bool { return d <= s.from })
		if s.level < 0 {
			s.level = len(until)
			until = append(until, 0)
		}
		until[s.level] = s.to
	}
	of.levels = max(len(until), 1)
}

// arrange puts the tracks into groups: each loop with its ticks, its main function and its tasks in
// the order in which they began, then greenlets of no loop, then connections.
func (t *timeline) arrange(r *recording) {
	const none, connections = ^uint32(1), ^uint32(0)
	of := map[uint32][]uint32{}
	for number := range t.byNumber {
		a := r.actors[number]
		in := a.loop
		switch {
		case a.kind == aConnection:
			in = connections
		case in == 0:
			in = none
		}
		of[in] = append(of[in], number)
	}
	var loops []uint32
	for in := range of {
		loops = append(loops, in)
	}
	slices.Sort(loops)
	index := 0
	for n, in := range loops {
		g := &group{name: r.actors[in].name}
		switch in {
		case none:
			g.name = "greenlets outside of loops"
		case connections:
			g.name = "connections"
		default:
			if g.name == "" {
				g.name = fmt.Sprintf("a loop (%d)", in) // it is older than the oldest event
			}
		}
		rank := func(number uint32) int {
			switch a := r.actors[number]; {
			case a.kind == aLoop:
				return 0
			case a.main:
				return 1
			}
			return 2
		}
		slices.SortFunc(of[in], func(a, b uint32) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b)) })
		for _, number := range of[in] {
			track := t.byNumber[number]
			track.group, track.index = n, index
			index++
			g.tracks = append(g.tracks, track)
		}
		t.groups = append(t.groups, g)
	}
}
