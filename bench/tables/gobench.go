package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed1239206e/repaint/internal/grid"
)

// A timing is a Go benchmark, and its name in a table.
type timing struct{ what, benchmark string }

// A comparison is a row: one of our benchmarks, and the peers that it is compared with. The ratio
// is to the first peer.
type comparison struct {
	what  string
	ours  string // a benchmark
	peers []timing
	unit  string  // ns/op if it is empty
	goal  float64 // of the ratio, at most; 0 if there is none
}

// compared writes a table of comparisons.
func compared(part, ours string, rows []comparison) func(s *store, out io.Writer) error {
	return func(s *store, out io.Writer) error {
		b, err := s.benchmarks(part)
		if err != nil {
			return err
		}
		t := grid.New("", "× the first peer", "goal", ours, "peers in the same run")
		t.Columns[4].Left = true
		for _, row := range rows {
			t.Row(b.row(row)...)
		}
		t.Markdown(out)
		missing(out, b.missing)
		return nil
	}
}

func (b *benchmarks) row(c comparison) []string {
	unit := c.unit
	if unit == "" {
		unit = "ns/op"
	}
	own := b.median(c.ours, unit)
	ratio, goal := "–", ""
	if c.goal > 0 {
		goal = "≤ " + grid.Short(c.goal)
	}
	var peers []string
	for i, p := range c.peers {
		v := b.median(p.benchmark, unit)
		text := fmt.Sprintf("%s %s", p.what, quantity(v, unit))
		if v > 0 && own > 0 {
			if i == 0 {
				ratio = grid.Short(own / v)
				if c.goal > 0 && own/v > c.goal {
					ratio = "**" + ratio + "**"
				}
			} else {
				text += fmt.Sprintf(" (%s ×)", grid.Short(own/v))
			}
		}
		peers = append(peers, text)
	}
	text := quantity(own, unit)
	if allocs := b.figures[c.ours]["allocs/op"]; len(allocs) > 0 && unit == "ns/op" {
		text += fmt.Sprintf(", %.0f allocs", b.median(c.ours, "allocs/op"))
	}
	return []string{c.what, ratio, goal, text, strings.Join(peers, ", ")}
}

// quantity writes a figure with its unit. ns/op becomes ns, µs or ms, and bytes become kB.
func quantity(v float64, unit string) string {
	kind, _, _ := strings.Cut(unit, "/")
	switch {
	case v == 0:
		return "–"
	case kind == "B" || kind == "stackB":
		return grid.Whole(v) + " bytes"
	case strings.HasSuffix(kind, "ns") && v >= 1e6:
		return grid.Figure(v/1e6) + " ms"
	case strings.HasSuffix(kind, "ns") && v >= 1e4:
		return grid.Figure(v/1e3) + " µs"
	case strings.HasSuffix(kind, "ns"):
		return grid.Figure(v) + " ns"
	}
	return grid.Figure(v) + " " + kind
}

// missing says which peers were missing.
func missing(out io.Writer, names []string) {
	if len(names) > 0 {
		fmt.Fprintf(out, "\nMissing in this run: %s.\n", strings.Join(names, "; "))
	}
}

var greenletRows = []comparison{
	{what: "switch", ours: "greenlet Switch/greenlet", peers: []timing{{"bare iter.Pull", "greenlet Switch/iter.Pull"}, {"unbuffered channel", "greenlet Switch/channel"}, {"Python's greenlet", "greenlet Python/switch"}}, goal: 1.25},
	{what: "switch, 10,000 calls deep", ours: "greenlet SwitchDepth/10000", peers: []timing{{"not deep", "greenlet SwitchDepth/0"}}},
	{what: "switch, 100,000 others suspended", ours: "greenlet SwitchLive/100000", peers: []timing{{"with none", "greenlet SwitchLive/0"}}},
	{what: "create, run, finish", ours: "greenlet Life/greenlet", peers: []timing{{"goroutine and channel", "greenlet Life/goroutine"}, {"iter.Pull", "greenlet Life/iter.Pull"}, {"Python's greenlet", "greenlet Python/create+run+finish"}}},
	{what: "throw and catch", ours: "greenlet Throw/greenlet", peers: []timing{{"panic and recover", "greenlet Throw/panic_and_recover"}, {"Python's greenlet", "greenlet Python/throw+catch"}}},
	{what: "an item of a Generator", ours: "greenlet Generator/Generator", peers: []timing{{"iter.Pull", "greenlet Generator/iter.Pull"}}},
	{what: "Current", ours: "greenlet Current", peers: []timing{{"Python's getcurrent", "greenlet Python/current"}}},
	{what: "memory of a suspended one, of 100,000", ours: "greenlet Suspended/greenlet", unit: "B/each", peers: []timing{{"bare iter.Pull", "greenlet Suspended/iter.Pull"}}},
	{what: "the same, from Scheduler.NewHeld", ours: "greenlet Suspended/held", unit: "B/each", peers: []timing{{"bare iter.Pull", "greenlet Suspended/iter.Pull"}}},
}

var loopRows = []comparison{
	{what: "CallSoon, 100 a tick", ours: "loop CallSoon/loop,_100_in_a_tick", peers: []timing{{"channel of functions", "loop CallSoon/peer:_channel_of_functions"}}},
	{what: "Post from another goroutine, in batches of 100", ours: "loop Post/loop", peers: []timing{{"channel of functions", "loop Post/peer:_channel_of_functions"}}},
	{what: "timer set and stopped, a million others pending", ours: "loop TimerSetAndStop/loop", peers: []timing{{"time.AfterFunc", "loop TimerSetAndStop/peer:_time.AfterFunc"}}},
	{what: "timer set and called, a million pending", ours: "loop TimerRun/1000000", peers: []timing{{"with 1,000", "loop TimerRun/1000"}}},
	{what: "promise resolved, OnDone called", ours: "loop Promise/OnDone", peers: []timing{{"channel of one", "loop Promise/peer:_channel_of_one"}}},
	{what: "promise resolved, with a Waiter", ours: "loop Promise/Waiter", peers: []timing{{"channel of one", "loop Promise/peer:_channel_of_one"}}},
	{what: "Offload and back", ours: "loop Offload/loop", peers: []timing{{"goroutine and channel", "loop Offload/peer:_goroutine_and_channel"}}},
}

var traceRows = []comparison{
	{what: "a turn, while a trace is recorded", ours: "trace Turn/traced", peers: []timing{{"while none is", "trace Turn/untraced"}}},
	{what: "a task that waits once", ours: "trace Task/traced", peers: []timing{{"while none is", "trace Task/untraced"}}},
}

var coopRows = []comparison{
	{what: "Mutex, lock and unlock", ours: "coop Uncontended/lock/coop.Mutex", peers: []timing{{"sync.Mutex", "coop Uncontended/lock/sync.Mutex"}}},
	{what: "RWMutex, rlock and runlock", ours: "coop Uncontended/rlock/coop.RWMutex", peers: []timing{{"sync.RWMutex", "coop Uncontended/rlock/sync.RWMutex"}}},
	{what: "Semaphore, acquire and release", ours: "coop Uncontended/permit/coop.Semaphore", peers: []timing{{"channel", "coop Uncontended/permit/channel"}}},
	{what: "Queue, put and get", ours: "coop Uncontended/item/coop.Queue", peers: []timing{{"channel", "coop Uncontended/item/channel"}}},
	{what: "Queue by priority", ours: "coop Uncontended/item/coop.Queue_by_priority", peers: []timing{{"channel", "coop Uncontended/item/channel"}}},
	{what: "Queue of 1, a stream between two tasks, an item", ours: "coop HandOver/stream/coop.Queue,_tasks", peers: []timing{{"channel between goroutines", "coop HandOver/stream/channel,_goroutines"}}},
	{what: "there and back through two queues", ours: "coop HandOver/there_and_back/coop.Queue,_tasks", peers: []timing{{"channels between goroutines", "coop HandOver/there_and_back/channels,_goroutines"}}},
	{what: "Mutex, 8 tasks that want it", ours: "coop ContendedMutex/coop.Mutex,_tasks", peers: []timing{{"sync.Mutex, goroutines", "coop ContendedMutex/sync.Mutex,_goroutines"}}},
	{what: "Loader, 1,000 tasks with a key each: a key", ours: "coop Loader/coop.Loader,_1000_tasks", unit: "ns/key", peers: []timing{{"a timer of 1 ms, goroutines", "coop Loader/timer_of_1ms,_1000_goroutines"}, {"the tasks alone", "coop Loader/tasks_alone,_1000_tasks_that_sleep"}}},
	{what: "Local, Get", ours: "coop Local/coop.Local_Get", peers: []timing{{"context.Value", "coop Local/context.Value"}}},
}

var pgTransactionRows = []comparison{
	{what: "1 caller", ours: "pg Transaction/callers=1/loop=true", peers: []timing{{"goroutines", "pg Transaction/callers=1/loop=false"}}},
	{what: "32 callers", ours: "pg Transaction/callers=32/loop=true", peers: []timing{{"goroutines", "pg Transaction/callers=32/loop=false"}}, goal: 1},
	{what: "client CPU", ours: "pg Transaction/callers=32/loop=true", unit: "cpu-ns/op", peers: []timing{{"goroutines", "pg Transaction/callers=32/loop=false"}}, goal: 0.85},
	{what: "256 callers", ours: "pg Transaction/callers=256/loop=true", peers: []timing{{"goroutines", "pg Transaction/callers=256/loop=false"}}, goal: 1},
	{what: "client CPU", ours: "pg Transaction/callers=256/loop=true", unit: "cpu-ns/op", peers: []timing{{"goroutines", "pg Transaction/callers=256/loop=false"}}},
}

// independent shows costs that don't depend on the number of tasks.
func independent(s *store, out io.Writer) error {
	b, err := s.benchmarks("go")
	if err != nil {
		return err
	}
	t := grid.New("", "fewest", "", "most")
	row := func(what, unit string, names ...string) {
		cells := []string{what}
		for _, name := range names {
			cells = append(cells, quantity(b.median("repaint "+name, unit), unit))
		}
		t.Row(cells...)
	}
	const deep, within, own = "TasksThatSpawnThemselves/depth=", "WaitWithinTimeouts/depth=", "SleepersWithContexts/n="
	row("tasks that spawn themselves, 100, 1,000, 10,000 deep: memory a level", "B/level", deep+"100", deep+"1000", deep+"10000")
	row("the same: time a level", "ns/level", deep+"100", deep+"1000", deep+"10000")
	row("a yield within 1, 10, 100 timeouts, one within the other", "ns/op", within+"1", within+"10", within+"100")
	row("sleepers on a virtual clock with a context each, 1,000 and 10,000 of them: each", "ns/sleeper", own+"1000", own+"10000")
	t.Markdown(out)
	return nil
}

// bridgeRows are the workloads of bench/loop, their names in the table, and the limit of their
// ratio to goroutines.
var bridgeRows = []struct {
	workload, what string
	goal           float64
}{
	{"SpawnAwaitFinish", "Spawn, one Await, finish", 1},
	{"FurtherAwait", "a further Await of a pending future, and its completion", 0},
	{"AwaitFinished", "Await of a finished future", 0},
	{"SpawnJoin", "Spawn and join", 0},
	{"SleepZero1", "Sleep(0), 1 task", 0},
	{"SleepZero100", "Sleep(0), 100 tasks, each", 1.25},
	{"SleepZero10000", "Sleep(0), 10,000 tasks, each", 2},
	{"QueueAlone", "Queue, put and get, alone", 0},
	{"QueueBetween", "Queue, put and get, between two tasks", 0},
	{"RunEmpty", "Run of an empty main", 0},
	{"Post", "Post, in batches of 100", 0},
}

// bridge writes what bench/compare has measured.
func bridge(s *store, out io.Writer) error {
	b, err := s.benchmarks("compare")
	if err != nil {
		return err
	}
	peers := []string{"goroutine", "errgroup", "asyncio", "sqlalchemy", "gevent"}
	t := grid.New("nanoseconds", "× goroutine", "goal", "repaint", "goroutine", "errgroup", "asyncio", "SQLAlchemy", "gevent")
	for _, row := range bridgeRows {
		name := "Loop/" + row.workload + "/"
		own, base := b.median(name+"repaint", "ns/op"), b.median(name+"goroutine", "ns/op")
		if own == 0 {
			return fmt.Errorf("bench/loop's %s: %w", row.workload, errUnmeasured)
		}
		ratio, goal := grid.Short(own/base), ""
		if row.goal > 0 {
			goal = "≤ " + grid.Short(row.goal)
			if own/base > row.goal {
				ratio = "**" + ratio + "**"
			}
		}
		cells := []string{row.what, ratio, goal, grid.Figure(own)}
		for _, p := range peers {
			cells = append(cells, grid.Known(b.median(name+p, "ns/op")))
		}
		t.Row(cells...)
	}
	t.Markdown(out)
	missing(out, b.missing)
	return nil
}

// sleepers writes what many sleeping tasks cost.
func sleepers(s *store, out io.Writer) error {
	b, err := s.benchmarks("many")
	if err != nil {
		return err
	}
	const tasks, goroutines = "loop Sleepers/repaint", "loop Sleepers/goroutine"
	t := grid.New("many at once", "× goroutines", "repaint", "goroutines")
	for _, row := range []struct{ what, unit string }{{"a sleeping task", "B/sleeper"}, {"from due to woken and joined", "ns/wake-up"}} {
		own, peer := b.median(tasks, row.unit), b.median(goroutines, row.unit)
		if own == 0 || peer == 0 {
			return fmt.Errorf("sleepers, %s: %w", row.unit, errUnmeasured)
		}
		t.Row(row.what, grid.Short(own/peer), quantity(own, row.unit), quantity(peer, row.unit))
	}
	t.Markdown(out)
	return nil
}
