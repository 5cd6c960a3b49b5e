package repainttest

import (
	"github.com/seed1239206e/repaint/internal/explore"

	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A report counts what an exploration has seen.
type report struct {
	schedules int
	by        map[string]int // by strategy
	distinct  map[string]bool
	took      time.Duration
	resets    time.Duration
	most      int // steps of a schedule

	statements int
	pairs      map[pair]order
	doubts     []string // why schedules may not repeat

	mu        sync.Mutex // main may call Sometimes from goroutines of its own
	sometimes map[string]bool
	named     []string // the keys of sometimes, in the order of their first call
}

// A pair is two places of different tasks, or two statements, in alphabetical order.
type pair struct{ a, b string }

// An order says in how many schedules the steps of a pair have come in each order.
type order struct{ forth, back int }

func (o order) rarer() int { return min(o.forth, o.back) }

// mostLabels is the number of places whose pairs are counted.
const mostLabels = 100

func newReport() *report {
	return &report{by: map[string]int{}, distinct: map[string]bool{}, pairs: map[pair]order{}, sometimes: map[string]bool{}}
}

// add counts a schedule.
func (p *report) add(r *recorder) {
	p.schedules++
	p.by[r.strategy.String()]++
	p.distinct[r.schedule().String()] = true
	p.took += r.took
	p.resets += r.resetTook
	p.most = max(p.most, len(r.steps)-1)
	p.statements += r.statements
	p.addPairs(r)
}

// doubt notes, once each, why schedules may not repeat.
func (p *report) doubt(all ...string) {
	for _, d := range all {
		if !slices.Contains(p.doubts, d) {
			p.doubts = append(p.doubts, d)
		}
	}
}

// addPairs records for each two places of different tasks which came before the other.
func (p *report) addPairs(r *recorder) {
	seen := map[string][]string{} // by which tasks each place has been passed, two at most
	came := map[pair]order{}      // in this schedule
	defer func() {
		for key, o := range came {
			all := p.pairs[key]
			p.pairs[key] = order{all.forth + o.forth, all.back + o.back}
		}
	}()
	for _, s := range r.steps {
		for _, e := range s.events {
			label := e.label()
			if label == "" {
				continue
			}
			for before, tasks := range seen {
				if before == label || len(tasks) == 1 && tasks[0] == e.task {
					continue
				}
				key, forth := pair{before, label}, true
				if label < before {
					key, forth = pair{label, before}, false
				}
				o := came[key]
				if forth {
					o.forth = 1
				} else {
					o.back = 1
				}
				came[key] = o
			}
			if tasks := seen[label]; len(tasks) < 2 && !slices.Contains(tasks, e.task) && (len(tasks) > 0 || len(seen) < mostLabels) {
				seen[label] = append(tasks, e.task)
			}
		}
	}
}

// label names a step for pairs, or returns "" if the step doesn't count.
func (e event) label() string {
	switch {
	case e.task == mainTask:
		return ""
	case e.kind == waits:
		return e.place
	case e.kind == sends && e.place != "":
		return e.what
	}
	return ""
}

// String says how many schedules there were, how long they took and what they covered.
func (p *report) String() string {
	var b strings.Builder
	var by []string
	for name, n := range p.by {
		by = append(by, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(by)
	fmt.Fprintf(&b, "explored %s (%s), %d of them distinct, of up to %s, in %v each",
		explore.Count(p.schedules, "schedule"), strings.Join(by, ", "), len(p.distinct), explore.Count(p.most, "step"), p.each(p.took))
	if p.resets > 0 {
		fmt.Fprintf(&b, ", and %v for a fresh database", p.each(p.resets))
	}
	p.writePairs(&b)
	return b.String()
}

// mostPairs is how many pairs are listed.
const mostPairs = 8

// writePairs says how often pairs came in each order, the rarest first.
func (p *report) writePairs(b *strings.Builder) {
	if len(p.pairs) == 0 {
		return
	}
	keys := slices.SortedFunc(maps.Keys(p.pairs), func(x, y pair) int {
		return cmp.Or(cmp.Compare(p.pairs[x].rarer(), p.pairs[y].rarer()), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	both := 0
	for _, o := range p.pairs {
		if o.rarer() > 0 {
			both++
		}
	}
	fmt.Fprintf(b, "\n%d of %d pairs of steps of different tasks came in both orders; in how many schedules, the rarest first:", both, len(keys))
	for _, key := range keys[:min(len(keys), mostPairs)] {
		o := p.pairs[key]
		fmt.Fprintf(b, "\n\t%s before %s in %d, after it in %d", key.a, key.b, o.forth, o.back)
	}
	if len(keys) > mostPairs {
		fmt.Fprintf(b, "\n\tand %d more", len(keys)-mostPairs)
	}
}

// unseen warns that there was no statement, and names possible reasons.
func (p *report) unseen() string {
	if p.statements > 0 {
		return ""
	}
	return ". No statement was seen. A pool of database/sql has to be opened on repainttest.Driver; db and pg are seen " +
		"if the tasks' own goroutines call them"
}

// each returns the share of one schedule.
func (p *report) each(all time.Duration) time.Duration {
	return (all / time.Duration(max(p.schedules, 1))).Round(time.Microsecond)
}

// running has the reports of the explorations under way, by the names of their tests.
var running struct {
	mu  sync.Mutex
	all map[string]*report
}

// enter makes a report known to Sometimes, until leave is called.
func (p *report) enter(test string) (leave func()) {
	running.mu.Lock()
	defer running.mu.Unlock()
	if running.all == nil {
		running.all = map[string]*report{}
	}
	before := running.all[test]
	running.all[test] = p
	return func() {
		running.mu.Lock()
		defer running.mu.Unlock()
		if before != nil {
			running.all[test] = before
			return
		}
		delete(running.all, test)
	}
}

// Sometimes says that a condition must hold in some schedule: the exploration fails at its end if
// the condition held in no call with this name. So a test shows that it has seen the case that it
// is about, for example that both transactions read before either wrote.
//
// t is the t that Explore has passed to the test's function; another one fails the test. Explore
// can't know about a Sometimes that no schedule calls. When a single schedule is repeated,
// Sometimes does nothing.
func Sometimes(t *testing.T, name string, cond bool) {
	t.Helper()
	running.mu.Lock()
	var p *report
	for test := t.Name(); p == nil && test != ""; {
		p = running.all[test]
		test = test[:max(strings.LastIndexByte(test, '/'), 0)]
	}
	running.mu.Unlock()
	if p == nil {
		t.Fatalf("repainttest: Sometimes(%q) was called outside Explore: it needs the t of the function that Explore calls", name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.sometimes[name]; !known {
		p.named = append(p.named, name)
	}
	p.sometimes[name] = p.sometimes[name] || cond
}

// never returns the conditions that never held.
func (p *report) never() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, name := range p.named {
		if !p.sometimes[name] {
			all = append(all, fmt.Sprintf("%q", name))
		}
	}
	return all
}
