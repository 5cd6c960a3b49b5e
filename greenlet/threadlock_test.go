package greenlet_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

// leftByInit was suspended during package initialization.
var leftByInit *greenlet.Greenlet

func init() {
	if strings.HasPrefix(os.Getenv(scenarioVariable), "init") {
		root := greenlet.Current()
		for i := range 3 {
			v, err := greenlet.New(func(arg any) (any, error) { return root.Switch(arg) }).Switch(i)
			check(v == i && err == nil, "a switch in init", v, err)
			v, err = greenlet.New(echo).Switch(i)
			check(v == i && err == nil, "a greenlet that ends in init", v, err)
		}
		leftByInit = greenlet.New(func(arg any) (any, error) { return root.Switch(arg) })
		_, _ = leftByInit.Switch(nil)
	}
}

func refused(_ any, err error) {
	check(errors.Is(err, greenlet.ErrThreadLock), "expected a refusal, got ", err)
}

func works(v any, err error) {
	check(err == nil, "unexpected refusal: ", err)
}

// pingpong returns a suspended greenlet that ends when it gets control.
func pingpong() *greenlet.Greenlet {
	root := greenlet.Current()
	g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
	works(g.Switch(nil))
	return g
}

// Each of lockScenarios runs in a process of its own, because the runtime aborts a program that
// resumes a coroutine in another state of thread locking.
var lockScenarios = scenarios(map[string]func(){
	"init, and later in main": func() {
		for range 3 {
			works(nil, nil)
			works(pingpong().Switch(nil))
			works(greenlet.New(echo).Switch(nil))
		}
		refused(leftByInit.Switch(nil))
		refused(leftByInit.Throw(nil))
		refused(nil, leftByInit.Kill())
	},
	"init, then closed in main": func() {
		greenlet.SetReporter(func(error) {})
		err := greenlet.Current().Family().Close()
		check(errors.Is(err, greenlet.ErrSurvived), "closing, got ", err)
	},
	"init, then collected": func() {
		refusals := 0
		greenlet.SetReporter(func(err error) { refused(nil, err); refusals++ })
		leftByInit = nil
		for refusals == 0 {
			runtime.GC()
			greenlet.Current()
		}
	},
	"lock after the first switch": func() {
		g := pingpong()
		runtime.LockOSThread()
		refused(g.Switch(nil))
		refused(g.Throw(nil))
		refused(nil, g.Kill())
		works(greenlet.New(echo).Switch(nil))
		runtime.UnlockOSThread()
		works(g.Switch(nil))
		works(greenlet.New(echo).Switch(nil))
	},
	"locked from beginning to end": func() {
		runtime.LockOSThread()
		f, _ := greenlet.Enter()
		for range 3 {
			works(pingpong().Switch(nil))
			works(greenlet.New(echo).Switch(nil))
		}
		g := pingpong()
		runtime.LockOSThread()
		refused(g.Switch(nil))
		works(pingpong().Switch(nil))
		runtime.UnlockOSThread()
		works(g.Switch(nil))
		pingpong()
		works(nil, f.Close())
		runtime.UnlockOSThread()
	},
	"unlock after the first switch": func() {
		runtime.LockOSThread()
		g := pingpong()
		runtime.UnlockOSThread()
		refused(g.Switch(nil))
		works(greenlet.New(echo).Switch(nil))
		works(pingpong().Switch(nil))
	},
	"a greenlet that locks and switches": func() {
		root := greenlet.Current()
		works(greenlet.New(func(any) (any, error) {
			runtime.LockOSThread()
			refused(root.Switch(nil))
			works(greenlet.New(echo).Switch(nil))
			runtime.UnlockOSThread()
			return root.Switch(nil)
		}).Switch(nil))
	},
	"a greenlet that locks and ends": func() {
		for range 3 {
			works(greenlet.New(func(any) (any, error) {
				runtime.LockOSThread()
				runtime.LockOSThread()
				return nil, nil
			}).Switch(nil))
			works(pingpong().Switch(nil))
		}
	},
	"a greenlet that unlocks and ends": func() {
		runtime.LockOSThread()
		for range 3 {
			works(greenlet.New(func(any) (any, error) {
				runtime.UnlockOSThread()
				return nil, nil
			}).Switch(nil))
			works(pingpong().Switch(nil))
		}
	},
	"a greenlet that locks and calls Goexit": func() {
		check(endsBy(func() {
			works(greenlet.New(func(any) (any, error) {
				works(pingpong().Switch(nil))
				runtime.LockOSThread()
				runtime.Goexit()
				return nil, nil
			}).Switch(nil))
		}), "the Goexit goes on")
	},
	"Goexit while locked, then closed": func() {
		before := greenlet.Count().Goroutines
		for lockedClose := range 2 {
			check(endsBy(func() {
				f := greenlet.Current().Family()
				runtime.LockOSThread()
				defer func() {
					if lockedClose == 0 {
						runtime.UnlockOSThread()
					}
					works(nil, f.Close())
					check(greenlet.Count().Goroutines == before, "left behind: ", greenlet.Count())
				}()
				works(greenlet.New(func(any) (any, error) {
					works(pingpong().Switch(nil))
					return greenlet.New(func(any) (any, error) { runtime.Goexit(); return nil, nil }).Switch(nil)
				}).Switch(nil))
			}), "the Goexit goes on")
		}
	},
	"a killer in another state": func() {
		var reports []error
		greenlet.SetReporter(func(err error) { reports = append(reports, err) })
		root := greenlet.Current()
		var victim *greenlet.Greenlet
		first := greenlet.New(func(any) (any, error) {
			runtime.LockOSThread()
			first := greenlet.Current()
			victim = greenlet.New(func(any) (any, error) {
				defer func() {
					runtime.UnlockOSThread()
					works(root.Switch(nil))
				}()
				return first.Switch(nil)
			})
			works(victim.Switch(nil))
			return nil, victim.Kill()
		})
		works(first.Switch(nil))
		works(nil, victim.Kill())
		check(len(reports) == 1, reports)
		refused(nil, reports[0])
		check(victim.Dead() && first.Active())
	},
	"closed while locked, then unlocked": func() {
		before := greenlet.Count().Goroutines
		f, _ := greenlet.Enter()
		works(pingpong().Switch(nil))
		runtime.LockOSThread()
		refused(nil, f.Close())
		refused(nil, f.Close())
		runtime.UnlockOSThread()
		check(greenlet.Count().Goroutines == before+1, "the idle one is left", greenlet.Count())
		works(nil, f.Close())
		check(greenlet.Count().Goroutines == before, "left behind: ", greenlet.Count())
		works(nil, f.Close())
	},
	"a Goexit whose parent waits in another state": func() {
		root := greenlet.Current()
		exits := greenlet.New(func(any) (any, error) {
			_, _ = root.Switch(nil)
			runtime.Goexit()
			return nil, nil
		})
		works(exits.Switch(nil))
		_, err := greenlet.New(func(any) (any, error) {
			runtime.LockOSThread()
			parent := greenlet.Current()
			return greenlet.New(func(any) (any, error) {
				runtime.UnlockOSThread()
				works(nil, exits.SetParent(parent))
				return exits.Switch(nil)
			}).Switch(nil)
		}).Switch(nil)
		refused(nil, err)
		works(pingpong().Switch(nil))
	},
	"a parent in another state": func() {
		g := pingpong()
		runtime.LockOSThread()
		v, err := greenlet.New(echo, greenlet.Parent(g)).Switch("through")
		check(v == "through" && err == nil, v, err)
		check(g.Dead(), "the parent has ended")
		runtime.UnlockOSThread()
		works(pingpong().Switch(nil))
	},
})

func TestOtherStateOfThreadLockingIsRefused(t *testing.T) {
	if !greenlet.DescriptorsReadable {
		t.Skip("on this platform the runtime's descriptor of a goroutine isn't read, so thread locking can't be seen")
	}
	for _, name := range lockScenarios {
		t.Run(name, func(t *testing.T) {
			out, err := process(t, name)
			require.NoError(t, err, "%s", out)
			require.Contains(t, out, "survived")
		})
	}
}

func TestThreadLockErrorNamesBothStates(t *testing.T) {
	if !greenlet.DescriptorsReadable {
		t.Skip("on this platform the runtime's descriptor of a goroutine isn't read, so thread locking can't be seen")
	}
	inFamily(t)
	g := pingpong()
	runtime.LockOSThread()
	_, err := g.Switch(nil)
	runtime.UnlockOSThread()
	require.ErrorContains(t, err, g.String())
	require.ErrorContains(t, err, "not locked to a thread")
	require.ErrorContains(t, err, "by 1 calls of LockOSThread")
	_, err = g.Switch(nil)
	require.NoError(t, err)
}
