package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// baton is a Runnable that passes control on as a bridge's task does: it takes what is next from
// the queue, and says so.
type baton struct {
	loop *loop.Loop
	name string
	d    *diary
	then func()
}

func (b *baton) RunInLoop() {
	b.d.note(b.name)
	if b.then != nil {
		b.then()
	}
	next, ok := b.loop.Bridge().Peek().(*baton)
	if !ok {
		b.d.note("(driver)")
		return
	}
	b.loop.Bridge().Take()
	next.RunInLoop()
}

func TestWhatIsNextCanBeTakenOutOfTheQueueAlsoInTheNextTick(t *testing.T) {
	l := virtual(t)
	var d diary
	l.Schedule(&baton{l, "a", &d, func() { l.Schedule(&baton{l, "d", &d, nil}) }})
	l.Schedule(&baton{l, "b", &d, nil})
	l.CallSoon(d.notes("callback"))
	l.Schedule(&baton{l, "c", &d, nil})
	require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
	require.Equal(t, diary{"a", "b", "(driver)", "callback", "c", "d", "(driver)"}, d)
	require.Equal(t, uint64(5), l.Stats().Callbacks)
	require.Equal(t, uint64(2), l.Stats().Ticks)
}

func TestNothingIsTakenWhereTheLoopHasSomethingElseToDo(t *testing.T) {
	cases := map[string]struct {
		opt   loop.Option
		setUp func(l *loop.Loop, d *diary)
		want  diary
	}{
		"nothing else": {nil, nil, diary{"a", "b", "c", "(driver)"}},
		"a hook": {nil, func(l *loop.Loop, d *diary) { l.OnTickEnd(d.notes("|")) },
			diary{"a", "b", "(driver)", "|", "c", "(driver)", "|"}},
		"a call at the tick's end": {nil, func(l *loop.Loop, d *diary) {
			l.CallSoon(func() { l.CallAtTickEnd(&baton{l, "end", d, nil}) })
		}, diary{"a", "b", "(driver)", "end", "(driver)", "c", "(driver)"}},
		"a timer that is due": {nil, func(l *loop.Loop, d *diary) { l.CallSoon(func() { l.CallLater(0, d.notes("timer")) }) },
			diary{"a", "b", "(driver)", "c", "(driver)", "timer"}},
		"a timer that isn't due": {nil, func(l *loop.Loop, d *diary) { l.CallLater(time.Hour, d.notes("timer")) },
			diary{"a", "b", "c", "(driver)", "timer"}},
		"a call when idle": {nil, func(l *loop.Loop, d *diary) { l.CallWhenIdle(d.notes("idle")) },
			diary{"a", "b", "(driver)", "c", "(driver)", "idle"}},
		"a seed":     {loop.Seed(2), nil, nil},
		"debug mode": {loop.Debug(time.Hour), nil, diary{"a", "(driver)", "b", "(driver)", "c", "(driver)"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			opts := []loop.Option{loop.VirtualClock(epoch)}
			if c.opt != nil {
				opts = append(opts, c.opt)
			}
			l := loop.New(opts...)
			defer l.Close()
			var d diary
			if c.setUp != nil {
				c.setUp(l, &d)
			}
			l.Schedule(&baton{l, "a", &d, func() { l.Schedule(&baton{l, "c", &d, nil}) }})
			l.Schedule(&baton{l, "b", &d, nil})
			require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
			if c.want == nil {
				require.Len(t, d, 6, "%v: the loop draws each", d)
				return
			}
			require.Equal(t, c.want, d)
		})
	}
}

func TestTheConditionOfDriveHoldsUpWhatWouldFollow(t *testing.T) {
	l := virtual(t)
	var d diary
	l.Schedule(&baton{l, "a", &d, func() { l.Schedule(&baton{l, "b", &d, nil}) }})
	require.NoError(t, l.Drive(func() bool { return len(d) > 0 }))
	require.Equal(t, diary{"a", "(driver)"}, d)
	require.Nil(t, l.Bridge().Peek(), "the loop isn't driven")
	require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
	require.Equal(t, diary{"a", "(driver)", "b", "(driver)"}, d)
}

// A loop in which one thing always follows the other still looks at its descriptors and is idle
// from time to time.
func TestALoopIsntForgottenByThoseThatFollowEachOther(t *testing.T) {
	l := open(t)
	looked, turns := 0, 0
	l.Bridge().OnIdle(func() { looked++ })
	var d diary
	b := &baton{loop: l, d: &d}
	b.then = func() {
		if turns++; turns < 1000 {
			l.Schedule(b)
		}
	}
	l.Schedule(b)
	require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
	require.Equal(t, 1000, turns)
	require.GreaterOrEqual(t, looked, 1000/64)
}
