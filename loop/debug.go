package loop

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultHoldLimit is how long a callback or task may hold up the loop in debug mode before it is
// reported.
const DefaultHoldLimit = 100 * time.Millisecond

// Debug turns debug mode on, which costs some speed. Without it a loop that is held up for 5
// seconds is reported once, with the stack of the goroutine that has control if there is a bridge.
// In debug mode:
//
//   - Code that holds up the loop for longer than the limit is reported as a [*HeldError], once,
//     and while it still does. It may be computing, or be blocked on a mutex, a channel or a system
//     call.
//   - Errors of all futures are reported if no code looks at them, see [UnobservedError].
//   - [Stats] has the longest tick.
//
// A limit that isn't positive means [DefaultHoldLimit].
//
// The environment variable REPAINT_DEBUG turns debug mode on for all loops that don't use this
// option. It takes the booleans of strconv.ParseBool, such as 1 and false, and positive durations
// of time.ParseDuration, such as 250ms, which turn it on with that limit. Any other text leaves it
// off and is logged, once. It is the counterpart of PYTHONASYNCIODEBUG.
func Debug(limit time.Duration) Option {
	if limit <= 0 {
		limit = DefaultHoldLimit
	}
	return func(l *Loop) { l.watchdog = &watchdog{loop: l, limit: limit} }
}

// debugVariable is the environment variable that turns debug mode on.
const debugVariable = "REPAINT_DEBUG"

// debugFromEnvironment returns the limit that the environment sets, zero if it doesn't ask for
// debug mode.
var debugFromEnvironment = sync.OnceValue(func() time.Duration {
	limit, err := parseDebug(os.Getenv(debugVariable))
	if err != nil {
		LogReport(err)
	}
	return limit
})

// parseDebug reads the value of REPAINT_DEBUG.
func parseDebug(s string) (limit time.Duration, err error) {
	if s == "" {
		return 0, nil
	}
	if on, err := strconv.ParseBool(s); err == nil {
		if on {
			return DefaultHoldLimit, nil
		}
		return 0, nil
	}
	if limit, err := time.ParseDuration(s); err == nil && limit > 0 {
		return limit, nil
	}
	return 0, fmt.Errorf("loop: %s is %q, so debug mode stays off: it takes a boolean, such as 1 or false, or how long a loop may be held, such as 250ms", debugVariable, s)
}

// A HeldError reports that code has held up a loop for longer than the limit.
type HeldError struct {
	For    time.Duration // how long the code has held up the loop so far
	Limit  time.Duration
	Holder string // the name of the holder, if the loop knows it
	Call   string // the call that it makes itself, if the loop knows it, such as a database statement
	Stack  string // the stack of the goroutine that has control, in the form of runtime.Stack
}

// Error says for how long the loop has been held up, and by what.
func (e *HeldError) Error() string {
	holder := e.Holder
	if holder == "" {
		holder = "a callback"
	}
	if e.Call != "" {
		return fmt.Sprintf("loop: %s has been holding the loop for %v (the limit is %v) in a call that was made on the spot because its last runs were short, so nothing else can run: the next ones are offloaded again: %s\n%s",
			holder, e.For.Round(time.Millisecond), e.Limit, e.Call, e.Stack)
	}
	return fmt.Sprintf("loop: %s has been holding the loop for %v (the limit is %v), and nothing else can run in it: let it wait with repaint.Await, or call what blocks with repaint.Block\n%s",
		holder, e.For.Round(time.Millisecond), e.Limit, e.Stack)
}

// A Holder says which task has control of a loop. Any goroutine may call its method.
type Holder interface {
	// LoopHolder returns the name of the holder of control, and the stack of its goroutine.
	LoopHolder() (name, stack string)
}

// Watch makes the loop ask h which task holds it up. In debug mode the loop also watches the code
// that calls [Loop.Drive], from now until Close. Of a guest ([NewGuest]) it watches only the
// guest's own ticks.
func (b *Bridge) Watch(h Holder) {
	l := b.loop()
	l.holder = h
	if w := l.watchdog; w != nil {
		w.holder = h
		if l.post == nil { // a guest doesn't watch what its host does in between
			w.turn()
		}
		w.start()
	}
}

// Debugging reports whether debug mode is on. Any goroutine may call it.
func (l *Loop) Debugging() bool { return l.watchdog != nil }

// Doing names a call that the code in control makes itself, instead of offloading it, for the
// reports of debug mode. "" says that the call has returned.
func (b *Bridge) Doing(call string) {
	if w := b.watchdog; w != nil {
		w.call.Store(&call)
	}
}

// A watchdog is a goroutine that checks from time to time whether the loop goes on.
type watchdog struct {
	loop   *Loop
	limit  time.Duration
	holder Holder // set before the goroutine starts
	// since is when the present turn began, in nanoseconds of the process, or 0 while no code holds
	// up the loop.
	since atomic.Int64
	// driver is the number of the goroutine that drives the loop, if there is no holder to ask.
	driver  atomic.Uint64
	call    atomic.Pointer[string] // see Bridge.Doing
	tick    time.Time              // when the last tick began; this and the fields below belong to the loop
	longest time.Duration          // tick
	starts  int                    // nested
	stop    chan struct{}
}

var processStart = time.Now()

func (w *watchdog) turn() { w.since.Store(int64(time.Since(processStart)) | 1) }
func (w *watchdog) rest() { w.since.Store(0) }

func (w *watchdog) ticked() { w.longest = max(w.longest, time.Since(w.tick)) }

func (w *watchdog) start() {
	if w.starts++; w.starts == 1 {
		w.stop = make(chan struct{})
		if w.holder == nil {
			w.driver.Store(goroutineNumber())
		}
		go w.watch(w.stop)
	}
}

func (w *watchdog) end() {
	if w.starts--; w.starts > 0 {
		w.turn() // of the code that called Drive
		return
	}
	close(w.stop)
	w.rest()
}

func (w *watchdog) watch(stop <-chan struct{}) {
	ticker := time.NewTicker(max(w.limit/4, time.Millisecond))
	defer ticker.Stop()
	var reported int64
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		since := w.since.Load()
		if since == 0 || since == reported {
			continue
		}
		held := time.Since(processStart) - time.Duration(since)
		if held < w.limit {
			continue
		}
		e := &HeldError{For: held, Limit: w.limit}
		if call := w.call.Load(); call != nil {
			e.Call = *call
		}
		if w.holder != nil {
			e.Holder, e.Stack = w.holder.LoopHolder()
		} else {
			e.Stack = stackOf(w.driver.Load())
		}
		if w.since.Load() == since { // otherwise the stack belongs to another turn
			reported = since
			w.loop.Report(e)
		}
	}
}

// goroutineNumber returns the calling goroutine's number, as in stack traces.
func goroutineNumber() (n uint64) {
	buf := make([]byte, 64)
	_, _ = fmt.Sscanf(string(buf[:runtime.Stack(buf, false)]), "goroutine %d ", &n)
	return n
}

// stackOf returns the stack of a goroutine.
func stackOf(number uint64) string {
	buf := make([]byte, 64<<10+runtime.NumGoroutine()<<10) // each attempt walks over all stacks
	for {
		if n := runtime.Stack(buf, true); n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	head := fmt.Sprintf("goroutine %d ", number)
	for section := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if strings.HasPrefix(string(section[:min(len(section), len(head))]), head) {
			return string(section)
		}
	}
	return ""
}
