package trace

import (
	"context"
	"runtime/trace"
	"sync"
	"sync/atomic"

	"github.com/seed1239206e/repaint/loop"
)

// A native tells runtime/trace what tasks do, while that records: each task is a task there, and
// each wait a region. Both must begin and end in the task's own goroutine, which is where events
// come from.
type native struct {
	mu    sync.Mutex
	tasks map[taskKey]*nativeTask // nil unless this trace is the one that tells
}

type taskKey struct {
	loop *loop.Loop
	id   uint64
}

type nativeTask struct {
	ctx    context.Context
	task   *trace.Task
	region *trace.Region // of the present wait
}

// telling is the native that tells: several would tell everything several times.
var telling atomic.Pointer[native]

func (n *native) init() {
	if telling.CompareAndSwap(nil, n) {
		n.tasks = map[taskKey]*nativeTask{}
	}
}

func (n *native) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.tasks {
		t.task.End()
	}
	n.tasks = nil
	telling.CompareAndSwap(n, nil)
}

// see takes an event of a task.
func (n *native) see(e loop.TraceEvent) {
	n.mu.Lock()
	defer n.mu.Unlock()
	k := taskKey{e.Loop, e.ID}
	t := n.tasks[k]
	if t == nil {
		if n.tasks == nil || !trace.IsEnabled() || e.Kind != loop.TaskBegins && e.Kind != loop.TaskWaits {
			return
		}
		name := "main function"
		switch {
		case e.Kind == loop.TaskBegins:
			name = e.Text
		case e.ID > 0:
			name = "a task that began before the trace"
		}
		t = new(nativeTask)
		t.ctx, t.task = trace.NewTask(context.Background(), name)
		n.tasks[k] = t
	}
	switch e.Kind {
	case loop.TaskWaits:
		t.endRegion()
		t.region = trace.StartRegion(t.ctx, "waits for "+e.Text)
	case loop.TaskResumes:
		t.endRegion()
	case loop.TaskEnds:
		t.endRegion()
		t.task.End()
		delete(n.tasks, k)
	}
}

// closed ends the main function of a loop that has ended.
func (n *native) closed(l *loop.Loop) {
	n.see(loop.TraceEvent{Kind: loop.TaskEnds, Loop: l})
}

func (t *nativeTask) endRegion() {
	if t.region != nil {
		t.region.End()
		t.region = nil
	}
}
