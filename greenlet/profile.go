package greenlet

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
)

// Profiled makes the greenlet visible to Go's own tools. In a CPU profile its samples, and the
// samples of goroutines that it starts, carry the label "greenlet" with its name, or with the
// result of String if it has none. In an execution trace (runtime/trace) it is a task of that name,
// with a region from its start to its end.
//
// The label replaces all labels that the goroutine has from elsewhere. A greenlet without this
// option pays nothing for it.
func Profiled() Option { return func(c *core) { c.extra().profiled = true } }

// SetProfiled turns [Profiled] on or off for all greenlets of the family that start from now on. It
// must be called from the family.
func (f *Family) SetProfiled(on bool) { f.profiled = on }

// profiled labels the calling goroutine and calls the greenlet's function. The goroutine forgets
// the labels when it becomes idle.
func profiled(c *core, run func(arg any) (any, error), arg any) (any, error) {
	name := c.String()
	if c.more != nil && c.more.name != "" {
		name = c.more.name
	}
	ctx := pprof.WithLabels(context.Background(), pprof.Labels("greenlet", name))
	pprof.SetGoroutineLabels(ctx)
	if trace.IsEnabled() {
		ctx, task := trace.NewTask(ctx, name)
		defer task.End()
		defer trace.StartRegion(ctx, name).End()
	}
	return run(arg)
}
