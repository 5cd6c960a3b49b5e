package repaint

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
)

// DumpTasks writes what the tasks of the calling goroutine's loop are doing: for each task its
// name, where it was spawned, what it waits for, since when (in debug mode, see [loop.Debug])
// and its stack. It writes at most the first thousand tasks. It is the counterpart of gevent's
// print_run_info. It stops the program for a moment, as runtime.Stack of all goroutines does.
//
// Outside a loop it returns [ErrNoLoop]. It also returns errors of the writer.
func DumpTasks(w io.Writer) error {
	h, _ := here()
	if h == nil {
		return misplaced(ErrNoLoop, "DumpTasks", "outside of a loop: call it within repaint.Run, or use repaint.DumpOnSignal")
	}
	_, err := w.Write(h.dump(greenlet.TakeStacks()))
	return err
}

// DumpOnSignal writes the tasks of all loops to w, as [DumpTasks] does, whenever one of the signals
// comes, until stop is called. It knows only loops that begin after it, so call it at the program's
// start:
//
//	defer repaint.DumpOnSignal(os.Stderr, syscall.SIGQUIT)()
//
// For a loop that is held up, so that it doesn't answer within a second, it writes the stack of the
// code that holds it up. Unlike with the runtime's own reaction to SIGQUIT, the program goes on.
func DumpOnSignal(w io.Writer, signals ...os.Signal) (stop func()) {
	enlisting.Add(1)
	came, done := make(chan os.Signal, 1), make(chan struct{})
	ended := make(chan struct{})
	signal.Notify(came, signals...)
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case s := <-came:
				dumpAll(w, s, done)
			}
		}
	}()
	return sync.OnceFunc(func() {
		signal.Stop(came)
		close(done)
		<-ended
		enlisting.Add(-1)
	})
}

// answerTime is how long a loop may take to describe itself.
const answerTime = time.Second

// dumpAll makes each loop describe itself in one of its turns.
func dumpAll(w io.Writer, s os.Signal, done <-chan struct{}) {
	all := enlisted()
	answers := make([]chan []byte, len(all))
	for i, h := range all {
		answer := make(chan []byte, 1)
		answers[i] = answer
		h.loop.Post(func() { answer <- h.dump(greenlet.TakeStacks()) })
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "repaint: %v: %d loops\n", s, len(all))
	patience := time.After(answerTime)
	for i, h := range all {
		select {
		case text := <-answers[i]:
			b.Write(text)
			continue
		default:
		}
		select {
		case text := <-answers[i]:
			b.Write(text)
		case <-done:
			return
		case <-patience:
			patience = time.After(0) // the other loops don't get more time either
			name, stack := h.holder(greenlet.TakeStacks())
			if stack == "" {
				continue // the loop has ended meanwhile
			}
			fmt.Fprintf(&b, "\nthe loop of %s is held by %s:\n%s", h.family, name, indented(stack))
		}
	}
	_, _ = w.Write(b.Bytes()) // there is nowhere to report a failure
}

// mostTasks is how many tasks a dump shows.
const mostTasks = 1000

// dump describes the runner's tasks. It must be called from the loop.
func (h *runner) dump(stacks *greenlet.Stacks) []byte {
	var b bytes.Buffer
	s := h.loop.Stats()
	fmt.Fprintf(&b, "\nthe loop of %s: %d tasks, %d of them wait; %d ticks, %d callbacks ready, %d timers, %d offloaded functions run and %d are queued\n",
		h.family, h.tasks.len(), h.waiting, s.Ticks, s.Ready, s.Timers, s.Offloading, s.Queued)
	if h.mainWaits != nil {
		fmt.Fprintf(&b, "the main function waits for %s\n", h.mainWaits)
	}
	shown := 0
	for t := range h.tasks.all() {
		if shown++; shown > mostTasks {
			fmt.Fprintf(&b, "and %d more\n", h.tasks.len()-mostTasks)
			break
		}
		if t == h.current {
			fmt.Fprintf(&b, "%s is running\n", t)
			continue
		}
		b.WriteString(h.waits(t))
		if h.debug && t.waits != forNothing {
			fmt.Fprintf(&b, ", for %v by now", h.loop.Now().Sub(t.more.since).Round(time.Microsecond))
		}
		b.WriteByte('\n')
		b.WriteString(indented(string(stacks.Of(t.where()))))
	}
	return b.Bytes()
}

// machinery has the prefixes of the names of functions through which a task runs and waits. A dump
// leaves them out.
var machinery = []string{pkg + "(*task).", pkg + "(*Task[", pkg + "(*Group).start", pkg + "carry(", pkg + "wait("}

// indented returns a stack as part of a dump. Each frame has two lines.
func indented(stack string) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimRight(stack, "\n"), "\n")
	for i, line := range lines {
		of := func(prefix string) bool { return strings.HasPrefix(lines[i&^1], prefix) }
		if line != "" && !slices.ContainsFunc(machinery, of) {
			b.WriteString("    " + line + "\n")
		}
	}
	return b.String()
}

// The runners that a dump on a signal shows. They are noted only while DumpOnSignal is active, so
// that otherwise a Run takes no global lock.
var (
	enlisting atomic.Int32
	runners   struct {
		mu  sync.Mutex
		all []*runner
	}
)

func enlist(h *runner) {
	if enlisting.Load() == 0 {
		return
	}
	runners.mu.Lock()
	defer runners.mu.Unlock()
	runners.all = append(runners.all, h)
	h.enlisted = true
}

func delist(h *runner) {
	if !h.enlisted {
		return
	}
	runners.mu.Lock()
	defer runners.mu.Unlock()
	runners.all = slices.DeleteFunc(runners.all, func(o *runner) bool { return o == h })
}

func enlisted() []*runner {
	runners.mu.Lock()
	defer runners.mu.Unlock()
	return slices.Clone(runners.all)
}
