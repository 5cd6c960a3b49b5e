package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	native "runtime/trace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/trace"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// A chrome is a file in Chrome's trace event format.
type chrome struct {
	DisplayTimeUnit string
	OtherData       map[string]any
	TraceEvents     []chromeEvent
}

type chromeEvent struct {
	Name, Cat, Ph, ID, BP, S string
	TS                       *float64
	Dur                      *float64
	PID                      *int `json:"pid"`
	TID                      *int `json:"tid"`
	Args                     map[string]any
}

func (e chromeEvent) end() float64  { return *e.TS + *e.Dur }
func (e chromeEvent) place() string { return fmt.Sprintf("%d.%d", *e.PID, *e.TID) }

// perfetto returns the trace as Perfetto reads it, and checks that it keeps to the format.
func perfetto(t *testing.T, tr *trace.Trace) chrome {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, tr.WritePerfetto(&out))
	var c chrome
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&c))
	require.Equal(t, "ns", c.DisplayTimeUnit)
	named := map[string]bool{}
	spans := map[string][]chromeEvent{}
	open, flows := map[string]int{}, map[string]int{}
	for _, e := range c.TraceEvents {
		require.NotEmpty(t, e.Name)
		require.NotNil(t, e.TS)
		require.GreaterOrEqual(t, *e.TS, 0.0)
		require.NotNil(t, e.PID)
		require.NotNil(t, e.TID)
		switch e.Ph {
		case "M":
			require.Contains(t, []string{"process_name", "process_sort_index", "thread_name", "thread_sort_index"}, e.Name)
			if e.Name == "thread_name" {
				require.NotEmpty(t, e.Args["name"])
				named[e.place()] = true
			}
			continue
		case "X":
			require.NotNil(t, e.Dur)
			require.GreaterOrEqual(t, *e.Dur, 0.0)
			spans[e.place()] = append(spans[e.place()], e)
		case "b", "e":
			require.NotEmpty(t, e.ID)
			require.NotEmpty(t, e.Cat)
			open[e.Cat+e.ID] += map[string]int{"b": 1, "e": -1}[e.Ph]
		case "s", "f":
			require.NotEmpty(t, e.ID)
			flows[e.ID] += map[string]int{"s": 1, "f": -1}[e.Ph]
			if e.Ph == "f" {
				require.Equal(t, "e", e.BP)
			}
		case "i":
			require.Equal(t, "t", e.S)
		default:
			t.Errorf("the format has no phase %q", e.Ph)
		}
		require.True(t, named[e.place()] || e.Ph == "s", "the thread has a name before it has events")
	}
	for place, all := range spans {
		slices.SortStableFunc(all, func(a, b chromeEvent) int { return int(1000 * (*a.TS - *b.TS)) })
		for i := 1; i < len(all); i++ {
			require.LessOrEqual(t, all[i-1].end(), *all[i].TS+0.001, "slices of a thread must not overlap: %s", place)
		}
	}
	for id, n := range open {
		require.Zero(t, n, "an asynchronous event that doesn't end, or begin: %s", id)
	}
	for id, n := range flows {
		require.Zero(t, n, "a flow with one end: %s", id)
	}
	return c
}

// of returns the names of the events of a phase on the thread, in their order.
func (c chrome) of(thread, phase string) (all []chromeEvent) {
	places := map[string]bool{}
	for _, e := range c.TraceEvents {
		if e.Name == "thread_name" && strings.HasPrefix(fmt.Sprint(e.Args["name"]), thread) {
			places[e.place()] = true
		}
	}
	for _, e := range c.TraceEvents {
		if places[e.place()] && e.Ph == phase {
			all = append(all, e)
		}
	}
	return all
}

func (c chrome) threads() map[string]int {
	all := map[string]int{}
	for _, e := range c.TraceEvents {
		if e.Name == "thread_name" {
			all[fmt.Sprint(e.Args["name"])]++
		}
	}
	return all
}

func names(all []chromeEvent) (names []string) {
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

func TestTraceHasWhoRanWhenAndWhatEachAwaited(t *testing.T) {
	tr := trace.Start()
	defer tr.Stop()
	p := loop.NewPromise[int](nil)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		p.Future().SetName("a secret number")
		waiter := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, p.Future()) }, repaint.Named("waiter"))
		sleeper := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Millisecond) }, repaint.Named("sleeper"))
		if _, err := repaint.Await(ctx, sleeper); err != nil {
			return err
		}
		p.Resolve(1)
		_, err := repaint.Await(ctx, waiter)
		return err
	}))
	tr.Stop()
	c := perfetto(t, tr)

	require.Equal(t, []string{"runs", "a secret number", "runs"}, names(c.of("task 1 (waiter)", "X")))
	slept := c.of("task 2 (sleeper)", "X")
	require.Equal(t, []string{"runs", "a sleep", "runs"}, names(slept))
	require.GreaterOrEqual(t, *slept[1].Dur, 1000.0, "microseconds")
	require.Regexp(t, `spawned in .*trace_test\.go:\d+`, slept[0].Args["task"])
	main := c.of("main function", "X")
	require.Contains(t, names(main), "gave control away")
	require.Regexp(t, `^runs\ngave.*(\n.*)*\ntask 2 \(sleeper\)`, strings.Join(names(main), "\n"))
	require.NotEmpty(t, c.of("ticks", "X"))
	require.Contains(t, names(c.of("ticks", "X")), "sleeps")
	// The main function has given control to each first, and the loop after their waits.
	require.Len(t, c.of("task 1 (waiter)", "f"), 2)
	require.Len(t, c.of("main function", "s"), 4)
	require.Zero(t, tr.Dropped())
}

func TestTraceHasGreenletsOutsideOfLoops(t *testing.T) {
	tr := trace.Start()
	defer tr.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		g := greenlet.New(func(any) (any, error) { return greenlet.Current().Parent().Switch(nil) })
		_, _ = g.Switch(nil)
		_, _ = g.Switch(nil)
	}()
	<-done
	tr.Stop()
	c := perfetto(t, tr)
	require.Equal(t, []string{"runs", "gave control away", "runs"}, names(c.of("greenlet ", "X")))
	require.Equal(t, []string{"runs", "gave control away", "runs", "gave control away", "runs"}, names(c.of("root greenlet ", "X")))
}

func TestTraceIsStartedAndStoppedFromAnyGoroutineWhileLoopsRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	begun := make(chan struct{}, 3)
	for range 3 {
		loops.Go(func() {
			_ = repaint.Run(ctx, func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				for range 5 {
					g.Go(func(ctx context.Context) error {
						for n := 0; ctx.Err() == nil; n++ {
							if n == 3 {
								select {
								case begun <- struct{}{}:
								default:
								}
							}
							if err := repaint.Sleep(ctx, 0); err != nil {
								return err
							}
						}
						return nil
					})
				}
				return g.Wait()
			})
		})
	}
	for range 3 {
		<-begun
	}
	var all []*trace.Trace
	for range 4 {
		tr := trace.Start(trace.Limit(500))
		all = append(all, tr)
		var tracers sync.WaitGroup
		for range 2 {
			tracers.Go(func() {
				for tr.Dropped() == 0 {
					_ = tr.WritePerfetto(new(bytes.Buffer))
				}
				tr.Stop()
				tr.Stop()
			})
		}
		tracers.Wait()
	}
	stop()
	loops.Wait()
	for _, tr := range all {
		events := tr.Events()
		require.Equal(t, 500, events)
		require.Equal(t, events, tr.Events(), "it has stopped")
		threads := perfetto(t, tr).threads()
		require.GreaterOrEqual(t, len(threads), 5)
	}
}

func TestOldEventsAreDroppedAndCounted(t *testing.T) {
	tr := trace.Start(trace.Limit(50))
	defer tr.Stop()
	run := func(n int) {
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			for i := range n {
				if _, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					return i, repaint.Sleep(ctx, 0)
				}, repaint.Named(fmt.Sprint("job ", i)))); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	run(100)
	tr.Stop()
	require.Equal(t, 50, tr.Events())
	require.Greater(t, tr.Dropped(), uint64(300))
	c := perfetto(t, tr)
	require.EqualValues(t, tr.Dropped(), c.OtherData["dropped"])
	threads := slices.Collect(maps.Keys(c.threads()))
	require.NotContains(t, threads, "task 1 (job 0)")
	require.Contains(t, threads, "task 100 (job 99)")
	var page bytes.Buffer
	require.NoError(t, tr.WriteHTML(&page))
	require.Contains(t, page.String(), fmt.Sprintf("%d older events were dropped", tr.Dropped()))
	require.Regexp(t, `"first":[1-9]\d+,`, page.String(), "the page begins where there is something to see")
	require.Less(t, trace.Held(tr), 50, "what nothing is left of is forgotten")
}

func TestTraceHasLanesWithStatementsAndWrites(t *testing.T) {
	db, err := pg.Open(testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	defer db.Close(context.Background())
	tr := trace.Start()
	defer tr.Stop()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for i := range 20 {
			g.Go(func(ctx context.Context) error {
				var n int
				return db.QueryRow(ctx, "select $1::int + 98765", i).Scan(&n)
			})
		}
		return g.Wait()
	}))
	_, err = db.Exec(t.Context(), "select 1 / (case when $1 = 'xyzzy' then 0 else 1 end)", "xyzzy")
	require.Error(t, err)
	tr.Stop()
	c := perfetto(t, tr)
	statements := names(c.of("lane ", "b"))
	count := 0
	for _, s := range statements {
		if s == "select $1::int + 98765" {
			count++
		}
	}
	require.Equal(t, 20, count)
	require.Contains(t, statements, "describe select $1::int + 98765")
	require.Contains(t, statements, "select 1 / (case when $1 = 'xyzzy' then 0 else 1 end): error 22012")
	writes := c.of("lane ", "i")
	require.NotEmpty(t, writes)
	require.Less(t, len(writes), len(statements), "statements share writes")
	require.Contains(t, names(c.of("task 1", "X")), "the answer to select $1::int + 98765")
}

func TestRuntimeTraceHasTasksByNameAndWaitsAsRegions(t *testing.T) {
	if native.IsEnabled() {
		t.Skip("the tests themselves are traced")
	}
	file := filepath.Join(t.TempDir(), "trace")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, native.Start(f))
	tr, second := trace.Start(), trace.Start()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return 0, repaint.Sleep(ctx, time.Millisecond)
		}, repaint.Named("napper")))
		return err
	}))
	tr.Stop()
	second.Stop()
	native.Stop()
	require.NoError(t, f.Close())
	out, err := exec.Command("go", "tool", "trace", "-d=parsed", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Len(t, regexp.MustCompile(`TaskBegin.*Type="task 1 \(napper\)`).FindAll(out, -1), 1)
	require.Len(t, regexp.MustCompile(`RegionBegin.*Type="waits for a sleep"`).FindAll(out, -1), 1)
	require.Len(t, regexp.MustCompile(`RegionEnd.*Type="waits for a sleep"`).FindAll(out, -1), 1)
	require.Regexp(t, `TaskEnd.*Type="main function"`, string(out))
}

const hostile = `</script><img src=x onerror="alert(1)">`

func TestPageEscapesWhatNamesAndStatementsHave(t *testing.T) {
	tr := trace.Start()
	defer tr.Stop()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		p := loop.NewPromise[int](nil)
		p.Future().SetName(hostile)
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, p.Future()) }, repaint.Named(hostile))
		p.Resolve(1)
		_, err := repaint.Await(ctx, task)
		return err
	}))
	loop.Trace(loop.TraceEvent{Kind: loop.StatementSent, Track: hostile, Text: hostile})
	tr.Stop()
	var page bytes.Buffer
	require.NoError(t, tr.WriteHTML(&page))
	require.NotContains(t, page.String(), "<img")
	require.Equal(t, 2, strings.Count(page.String(), "</script>"), "of the data and of the script")
	perfetto(t, tr)
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func TestErrorsOfTheWriterComeBack(t *testing.T) {
	tr := trace.Start()
	tr.Stop()
	err := errors.New("the disk is full")
	require.ErrorIs(t, tr.WriteHTML(full{err}), err)
	require.ErrorIs(t, tr.WritePerfetto(full{err}), err)
}
