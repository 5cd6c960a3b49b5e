package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// latest chooses the latest request, and notes the owner of each callback.
type latest struct{ owners []string }

func (c *latest) Choose(ready []loop.Runnable) int {
	last := len(ready) - 1
	owner := ""
	if o, ok := ready[last].(loop.Owned); ok {
		owner = o.LoopOwner()
	}
	c.owners = append(c.owners, owner)
	return last
}

// owned is a callback that belongs to something.
type owned struct {
	d     *diary
	owner string
}

func (o owned) RunInLoop()        { o.d.note(o.owner) }
func (o owned) LoopOwner() string { return o.owner }

func TestChooserDecidesWhatRunsNext(t *testing.T) {
	c := new(latest)
	l := virtual(t, loop.ChooseBy(c))
	require.Same(t, c, l.Chooser())
	var d diary
	for _, name := range []string{"a", "b"} {
		l.Schedule(owned{&d, name})
	}
	l.CallSoon(d.notes("nobody's"))
	l.ScheduleLater(0, owned{&d, "timer"})
	runDry(t, l)
	require.Equal(t, diary{"timer", "nobody's", "b", "a"}, d)
	require.Equal(t, []string{"timer", "", "b", "a"}, c.owners)
	require.Nil(t, loop.New().Chooser())
}

func TestChooserIsNotAskedAboutStoppedTimers(t *testing.T) {
	c := new(latest)
	l := virtual(t, loop.ChooseBy(c))
	var timers [3]*loop.Timer
	for i := range timers {
		timers[i] = l.CallLater(time.Second, func() {
			for _, other := range timers {
				other.Stop()
			}
		})
	}
	runDry(t, l)
	require.Len(t, c.owners, 1)
}
