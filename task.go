package repaint

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/callsite"
	"github.com/seed1239206e/repaint/loop"
)

// A Task is a function that runs in a greenlet of its own. It is a future for the function's
// result: pass it to [Await].
type Task[T any] struct {
	task
	promise loop.Promise[T]
}

// A TaskOption configures a task that [Spawn] starts.
type TaskOption func(*task)

// Named names the task. Errors and dumps show the name.
func Named(name string) TaskOption { return func(t *task) { t.details().name = name } }

// RequireAwait makes the task fail with [ErrAwaitRequired] if fn returns without an error and
// without having been suspended: then its calls blocked, or had no work to do. It is
// greenlet_spawn's _require_await.
func RequireAwait() TaskOption { return func(t *task) { t.details().mustAwait = true } }

// Spawn runs fn in a new greenlet, at once and up to its first wait, and then returns. The loop
// resumes the task when the future that it waits for is done. It is SQLAlchemy's greenlet_spawn.
//
// fn's context ends with ctx, when the task is cancelled, and when fn returns. So a task that was
// spawned with another task's context is cancelled when that task ends; context.WithoutCancel makes
// it independent. In any case a task ends with its [Run].
//
// A panic in fn is kept for the code that awaits the task. A Goexit in fn, which t.FailNow calls,
// continues in the function that gave the task control, and in the end in the caller of Run.
//
// An error that fn returns is the task's result. If no code awaits the task or looks at its error
// otherwise, the error is reported as a [*loop.UnobservedError], at the latest when Run ends.
//
// Spawn must be called in a loop: in the main function of a Run, in a task, or in a callback.
// Elsewhere it returns a task that has failed with [ErrNoLoop], which is reported in the same way.
// If the goroutine's state of runtime.LockOSThread differs from the state in which its Run began,
// as in a callback from C, the task has failed with [greenlet.ErrThreadLock].
//
//go:noinline
func Spawn[T any](ctx context.Context, fn func(ctx context.Context) (T, error), opts ...TaskOption) *Task[T] {
	return spawn[T](ctx, fn, callsite.Caller(), nil, opts)
}

// spawn is Spawn for a function as task.fn has it, a call site, and a group, which may be nil.
func spawn[T any](ctx context.Context, fn any, site callsite.Site, g *Group, opts []TaskOption) *Task[T] {
	t := new(Task[T])
	t.fn, t.site, t.group = fn, site, g
	for _, o := range opts {
		o(&t.task)
	}
	h, me := here()
	if h == nil {
		t.promise.Bind(nil, t)
		t.refuse(misplaced(ErrNoLoop, "Spawn", "outside of a loop, so the function wasn't called: call it within repaint.Run"))
		return t
	}
	t.promise.Bind(h.loop, t)
	if err := h.checkLock("Spawn"); err != nil {
		t.refuse(err)
		return t
	}
	t.start(ctx, h, me, t)
	return t
}

// refuse ends a task that can't begin.
func (t *Task[T]) refuse(err error) {
	t.ended = true
	if t.group == nil || t.group.returned(t.member(), err) {
		t.promise.ReportFailure()
	}
	t.promise.Reject(err)
	if t.group != nil {
		t.group.left(t.member(), true)
	}
}

// AsFuture implements [loop.Awaitable].
func (t *Task[T]) AsFuture() *loop.Future[T] { return t.promise.Future() }

// Done reports whether the task has ended. It may be called from any goroutine.
func (t *Task[T]) Done() bool { return t.promise.Future().Done() }

// Result returns the results of the task's function, or [loop.ErrPending] if it hasn't returned. It
// may be called from any goroutine.
func (t *Task[T]) Result() (T, error) { return t.promise.Future().Result() }

// Cancel ends the task's context with the given cause, or with context.Canceled if that is nil. If
// the task waits, its Await returns the cause, and so does each later Await with its context.
// Cancel returns false if the task had already ended. It may be called from any goroutine.
func (t *Task[T]) Cancel(cause error) bool { return t.promise.Future().Cancel(cause) }

// member returns the task as a function of its group.
func (t *Task[T]) member() member { return member{t.id, &t.promise.Future().Latch} }

// String names the task, with the function that it runs and where it was spawned.
func (t *Task[T]) String() string { return t.task.String() }

func (t *task) String() string {
	text := fmt.Sprintf("task %d", t.id)
	if t.id == 0 {
		text = "a task that wasn't started"
	}
	if t.more != nil && t.more.name != "" {
		text += " (" + t.more.name + ")"
	}
	var about []string
	pc := reflect.ValueOf(t.fn).Pointer()
	if fn := runtime.FuncForPC(pc); fn != nil && !strings.HasPrefix(fn.Name(), pkg) {
		about = append(about, fn.Name())
		if t.site == 0 {
			file, line := fn.FileLine(pc)
			about = append(about, fmt.Sprintf("%s:%d", base(file), line))
		}
	}
	if t.site != 0 {
		about = append(about, "spawned in "+t.site.String())
	}
	if about != nil {
		text += " [" + strings.Join(about, ", ") + "]"
	}
	return text
}

// pkg is the prefix of the names of this package's functions, in which it wraps its users'
// functions.
const pkg = "github.com/seed1239206e/repaint."

// CancelFuture implements [loop.Canceler] for the task's future.
func (t *Task[T]) CancelFuture(cause error) { t.scope.cancel(context.Canceled, cause) }

// run implements job. It completes the future however fn ends.
func (t *Task[T]) run() (self *task) {
	self = &t.task
	defer t.end()
	if loop.Tracing() {
		t.trace(loop.TaskBegins, t.String())
	}
	var v T
	var err error
	switch fn := t.fn.(type) {
	case func(ctx context.Context) (T, error):
		v, err = fn(&t.scope)
	case func(ctx context.Context) error:
		err = fn(&t.scope)
	}
	t.returned = true
	t.settle(v, err)
	return
}

// settle completes the future when fn has returned.
//
//go:noinline
func (t *Task[T]) settle(v T, err error) {
	if err == nil && !t.hasWaited && t.more != nil && t.more.mustAwait {
		err = fmt.Errorf("%w: %s blocked, or had nothing to wait for", ErrAwaitRequired, t)
	}
	alone := t.group == nil || t.group.returned(t.member(), err)
	if alone && err != nil && !t.scope.endedWith(err) {
		t.promise.ReportFailure()
	}
	if err != nil && t.more != nil {
		t.more.explored.failed = true
	}
	t.promise.Settle(v, err)
}

// end is deferred by run.
func (t *Task[T]) end() {
	t.leave()
	if r := recover(); r != nil {
		t.fail(r)
	} else if !t.returned {
		t.promise.Reject(loop.ErrGoexit)
	}
	if t.group != nil {
		t.group.left(t.member(), t.returned)
	}
}

// fail completes the future after a panic.
func (t *Task[T]) fail(r any) {
	if greenlet.IsKill(r) {
		t.killed = true
		t.promise.Reject(fmt.Errorf("%s: %w", t, greenlet.ErrExit))
		return
	}
	t.promise.Reject(loop.Recovered(r))
}

// A task is the part of a [Task] that doesn't depend on its type. Its fields belong to the loop,
// except the scope.
type task struct {
	runner   *runner
	fn       any // func(context.Context) (T, error), or func(context.Context) error where T is struct{}
	id       uint64
	site     callsite.Site // where it was spawned
	group    *Group        // the group that it belongs to, or nil
	scope    scope
	greenlet *greenlet.Greenlet
	waiter   loop.Waiter
	future   *loop.Latch // that it awaits, while it does
	alarm    *loop.Timer // see sleeping; nil before the first sleep
	more     *details    // nil for most

	place uint32 // in the runner's roster
	turns uint32 // that are to come, see yielding

	waits     waitKind
	rung      bool // see sleeping
	hasWaited bool // it has ever been suspended
	suspended bool // the loop will resume it
	returned  bool // fn has
	ended     bool
	killed    bool
	parental  bool // it has spawned a task that went on; its greenlet may be the parent of that task's
}

// A waitKind says what a task waits for.
type waitKind uint8

const (
	forNothing waitKind = iota // it doesn't wait
	forFuture
	forAlarm // see sleeping
	forTurns // see yielding
)

// details holds what only few tasks have. All of it except the name belongs to the loop.
type details struct {
	name string // set before use
	// elsewhere is the greenlet that waits if it isn't the task's own, but one that the task has made
	// and switched to.
	elsewhere *greenlet.Greenlet
	mustAwait bool
	since     time.Time       // when the present wait began; in debug mode
	ctx       context.Context // of the present wait, nil if that is the task's own
	watch     contextWatch    // over a context that isn't the task's own
	explored
}

func (t *task) details() *details {
	if t.more == nil {
		t.more = new(details)
	}
	return t.more
}

// where returns the greenlet that waits.
func (t *task) where() *greenlet.Greenlet {
	if t.more != nil && t.more.elsewhere != nil {
		return t.more.elsewhere
	}
	return t.greenlet
}

// wanted says what the task waits for.
func (t *task) wanted() string {
	switch t.waits {
	case forFuture:
		return t.future.String()
	case forAlarm:
		return "a sleep"
	default:
		return "its next turn"
	}
}

// has reports whether there is what the task waits for.
func (t *task) has() bool {
	switch t.waits {
	case forFuture:
		return t.future.Done()
	case forAlarm:
		return t.rung
	default:
		return t.turns == 0
	}
}

// leave removes an ended task from its runner.
func (t *task) leave() {
	if t.ended {
		return
	}
	t.ended = true
	t.wake()
	if t.more != nil {
		t.more.watch.stop()
		t.tellEnd()
	}
	if loop.Tracing() {
		t.trace(loop.TaskEnds, "")
	}
	t.scope.release()
	t.runner.tasks.remove(t)
	if t.runner.whenEmpty != nil && t.runner.tasks.len() == 0 {
		t.runner.loop.Schedule(t.runner.whenEmpty)
	}
}

// note records when a wait begins, and tells the explorer and the tracers about it.
//
//go:noinline
func (t *task) note() {
	t.details().since = t.runner.loop.Now()
	t.tellWait()
	if loop.Tracing() {
		t.trace(loop.TaskWaits, t.wanted())
	}
}

// trace tells the loop's tracers about the task.
//
//go:noinline
func (t *task) trace(kind loop.TraceKind, text string) {
	loop.Trace(loop.TraceEvent{Kind: kind, Loop: t.runner.loop, ID: t.id, Text: text})
}

//go:noinline
func (t *task) watch(ctx context.Context) {
	more := t.details()
	more.ctx = ctx
	more.watch.over(ctx, &t.scope, &t.waiter, t.runner)
}

// unwatch is called after a wait, which may have had a context, or a greenlet, that isn't the task's
// own. It ends the watch even early if the loop checks very many watched contexts.
//
//go:noinline
func (t *task) unwatch() {
	t.more.ctx, t.more.elsewhere = nil, nil
	if t.runner.polls.crowded() {
		t.more.watch.stop()
	} else {
		t.more.watch.waited()
	}
}

// waitsWith returns the context of the present wait.
func (t *task) waitsWith() context.Context {
	if t.more != nil && t.more.ctx != nil {
		return t.more.ctx
	}
	return &t.scope
}

// base returns the last two elements of a path.
func base(path string) string {
	seen := false
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			if seen {
				return path[i+1:]
			}
			seen = true
		}
	}
	return path
}
