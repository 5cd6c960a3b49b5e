package loop_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// descriptors makes the test fail if it leaves descriptors open. The runtime opens its own at the
// first use of a poller.
func descriptors(t *testing.T) {
	t.Helper()
	a, b := pair(t)
	f := os.NewFile(uintptr(a), "a socket")
	require.NoError(t, f.Close())
	require.NoError(t, syscall.Close(b))
	before := openDescriptors(t)
	t.Cleanup(func() {
		if after := openDescriptors(t); !t.Failed() && after > before {
			t.Errorf("%d descriptors were open before, %d are after", before, after)
		}
	})
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// pair returns two connected sockets that don't block. The test closes them.
func pair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	return fds[0], fds[1]
}

// closedPair returns a pair whose ends are closed at the end of the test.
func closedPair(t testing.TB) (a, b int) {
	t.Helper()
	a, b = pair(t)
	t.Cleanup(func() { _, _ = syscall.Close(a), syscall.Close(b) })
	return a, b
}

// pollable is a Pollable of a function.
type pollable func(r loop.Readiness)

func (fn pollable) Ready(r loop.Readiness) { fn(r) }

// drain reads until there is nothing, and returns how much there was and whether the other end is
// closed.
func drain(fd int) (n int, end bool) {
	buf := make([]byte, 4096)
	for {
		m, err := syscall.Read(fd, buf)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil || m == 0:
			return n, err == nil || !errors.Is(err, syscall.EAGAIN)
		default:
			n += m
		}
	}
}

func send(t testing.TB, fd int) {
	t.Helper()
	_, err := syscall.Write(fd, []byte{1})
	require.NoError(t, err)
}

// held returns a loop with the real clock that expects something from outside.
func held(t testing.TB, opts ...loop.Option) *loop.Loop {
	l := open(t, opts...)
	l.Bridge().Hold()
	return l
}

func TestAPollableIsToldOfWhatIsReadyAndOfChanges(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, b := closedPair(t)
	l := held(t)
	var all []loop.Readiness
	p, err := l.Poll(uintptr(a), pollable(func(r loop.Readiness) {
		all = append(all, r)
		drain(a)
	}))
	require.NoError(t, err)
	require.Equal(t, 1, l.Stats().Polled)

	require.NoError(t, l.Drive(func() bool { return len(all) == 1 }))
	require.Equal(t, []loop.Readiness{loop.Writable}, all, "as things stood when it was added")

	go func() { send(t, b) }()
	require.NoError(t, l.Drive(func() bool { return len(all) == 2 }))
	require.NotZero(t, all[1]&loop.Readable)

	go func() { _ = syscall.Shutdown(b, syscall.SHUT_WR) }()
	require.NoError(t, l.Drive(func() bool { return len(all) == 3 }))
	require.NotZero(t, all[2]&loop.Readable, "the end is something to read")

	p.Remove()
	p.Remove()
	require.Zero(t, l.Stats().Polled)
	_ = syscall.Shutdown(b, syscall.SHUT_RDWR)
	l.CallLater(time.Millisecond, func() { all = append(all, 0) })
	require.NoError(t, l.Drive(func() bool { return len(all) == 4 }))
	require.Zero(t, all[3], "it isn't told any more")
}

func TestADescriptorOfAnotherKindIsRefused(t *testing.T) {
	descriptors(t)
	l := open(t)
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer f.Close()
	_, err = l.Poll(f.Fd(), pollable(func(loop.Readiness) {}))
	require.ErrorIs(t, err, syscall.EPERM)
	require.ErrorContains(t, err, fmt.Sprint("descriptor ", f.Fd()))

	a, _ := closedPair(t)
	_, err = l.Poll(uintptr(a), pollable(func(loop.Readiness) {}))
	require.NoError(t, err)
	_, err = l.Poll(uintptr(a), pollable(func(loop.Readiness) {}))
	require.ErrorIs(t, err, syscall.EEXIST)
	require.Equal(t, 1, l.Stats().Polled)
}

func TestTenThousandDescriptorsInOneLoop(t *testing.T) {
	const pairs = 5_000
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < 2*pairs+500 {
		t.Skipf("this process may open %d files only", limit.Cur)
	}
	descriptors(t)
	leakcheck.Test(t)
	l := held(t)
	var ends [][2]int
	defer func() {
		for _, e := range ends {
			_, _ = syscall.Close(e[0]), syscall.Close(e[1])
		}
	}()
	got, counts := 0, make([]int, 2*pairs)
	for i := range pairs {
		a, b := pair(t)
		ends = append(ends, [2]int{a, b})
		for j, fd := range ends[i] {
			_, err := l.Poll(uintptr(fd), pollable(func(loop.Readiness) {
				n, _ := drain(fd)
				got += n
				counts[2*i+j] += n
			}))
			require.NoError(t, err)
		}
	}
	require.Equal(t, 2*pairs, l.Stats().Polled)
	const rounds = 3
	for round := range rounds {
		go func() {
			for _, e := range ends {
				send(t, e[0])
				send(t, e[1])
			}
		}()
		require.NoError(t, l.Drive(func() bool { return got == 2*pairs*(round+1) }))
	}
	for i, n := range counts {
		require.Equal(t, rounds, n, "descriptor %d", i)
	}
	require.Less(t, l.Stats().Polls, uint64(2*pairs*rounds), "one wake-up brings many")
}

// Readiness is a hint: by the time that a Pollable looks, another party may have read what there was.
func TestReadinessThatIsSpurious(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	l := held(t)
	inVain, received := 0, 0
	fds := [2][2]int{}
	for i := range fds {
		fds[i][0], fds[i][1] = closedPair(t)
		_, err := l.Poll(uintptr(fds[i][0]), pollable(func(r loop.Readiness) {
			if r&loop.Readable == 0 {
				return
			}
			if n, _ := drain(fds[i][0]); n == 0 {
				inVain++
			} else {
				received += n
			}
			n, _ := drain(fds[1-i][0]) // of which the loop knows already, if both were ready
			received += n
		}))
		require.NoError(t, err)
	}
	for round := range 10 {
		send(t, fds[0][1])
		send(t, fds[1][1])
		require.NoError(t, l.Drive(func() bool { return inVain == round+1 }))
		require.Equal(t, 2*(round+1), received, "each byte arrives once")
	}

	// The loop sleeps while another goroutine makes a descriptor ready, and unready again.
	read := make(chan int, 1)
	go func() {
		n := 0
		for range 1000 {
			send(t, fds[0][1])
			m, _ := drain(fds[0][0])
			n += m
		}
		l.Post(func() { read <- n })
	}()
	require.NoError(t, l.Drive(func() bool { return len(read) == 1 }))
	require.Equal(t, 1000, <-read+received-20, "each byte arrives once")
	send(t, fds[0][1])
	was := received
	require.NoError(t, l.Drive(func() bool { return received == was+1 }), "what comes next is told")
}

func TestADescriptorThatItsPeerOrWeClose(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	l := held(t)
	for _, reset := range []bool{false, true} {
		a, b := pair(t)
		ended := false
		p, err := l.Poll(uintptr(a), pollable(func(r loop.Readiness) {
			if r&loop.Readable != 0 {
				_, ended = drain(a)
			}
		}))
		require.NoError(t, err)
		if reset { // with data that were never read
			send(t, a)
		}
		go func() { _ = syscall.Close(b) }()
		require.NoError(t, l.Drive(func() bool { return ended }))
		p.Remove()
		require.NoError(t, syscall.Close(a))
	}
	require.Zero(t, l.Stats().Polled)
}

// The kernel gives the number of a closed descriptor to the next one that is opened.
func TestAReusedNumberIsAnotherDescriptor(t *testing.T) {
	for name, remove := range map[string]bool{"after it was removed": true, "though it wasn't": false} {
		t.Run(name, func(t *testing.T) {
			descriptors(t)
			leakcheck.Test(t)
			l := held(t)
			for range 50 {
				a, b := pair(t)
				old, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) { t.Error("the one that is closed was told") }))
				require.NoError(t, err)
				send(t, b) // a descriptor is ready, and the loop hasn't looked yet
				if remove {
					old.Remove()
				}
				require.NoError(t, syscall.Close(a))
				c, d := pair(t)
				require.Equal(t, a, c, "the number is used again")
				told := false
				p, err := l.Poll(uintptr(c), pollable(func(r loop.Readiness) { told = r&loop.Readable != 0 }))
				require.NoError(t, err)
				send(t, d)
				require.NoError(t, l.Drive(func() bool { return told }))
				p.Remove()
				for _, fd := range []int{b, c, d} {
					require.NoError(t, syscall.Close(fd))
				}
			}
		})
	}
}

func TestALoopThatEndsWithDescriptorsLetsGoOfThem(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, b := closedPair(t)
	for range 20 {
		l := loop.New()
		p, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) {}))
		require.NoError(t, err)
		if _, err := l.Poll(uintptr(b), pollable(func(loop.Readiness) {})); err != nil {
			t.Fatal(err)
		}
		l.Close()
		l.Close()
		require.Zero(t, l.Stats().Polled)
		p.Remove()
		_, err = l.Poll(uintptr(a), pollable(func(loop.Readiness) {}))
		require.ErrorIs(t, err, loop.ErrClosed)
	}
	send(t, b)
	n, _ := drain(a)
	require.Equal(t, 1, n, "the descriptors themselves are as before")
}

func TestPostsAndDescriptorsWakeALoopThatSleepsInItsPoller(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	const goroutines, each = 16, 500
	l := held(t)
	var wg sync.WaitGroup
	posted, received := 0, 0
	for range goroutines {
		a, b := closedPair(t)
		_, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) {
			n, _ := drain(a)
			received += n
		}))
		require.NoError(t, err)
		wg.Go(func() {
			for i := range each {
				l.Post(func() { posted++ })
				if i%3 == 0 {
					runtime.Gosched() // or else the loop would hardly ever sleep
				}
				for {
					if _, err := syscall.Write(b, []byte{1}); !errors.Is(err, syscall.EAGAIN) {
						break
					}
					runtime.Gosched()
				}
			}
		})
	}
	require.NoError(t, l.Drive(func() bool { return posted == goroutines*each && received == goroutines*each }))
	wg.Wait()
}

func TestTimersOfALoopThatSleepsInItsPoller(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, _ := closedPair(t)
	l := open(t)
	_, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) {}))
	require.NoError(t, err)
	for range 3 { // also after a sleep that something else has ended
		rang, posted := false, false
		begun := time.Now()
		l.CallLater(5*time.Millisecond, func() { rang = true })
		go l.Post(func() { posted = true })
		require.NoError(t, l.Drive(func() bool { return rang && posted }))
		require.GreaterOrEqual(t, time.Since(begun), 5*time.Millisecond)
	}
	require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock, "a descriptor isn't something that is expected")
	l.Bridge().Hold()
	sleeps := l.Stats().Sleeps
	done := false
	l.CallLater(20*time.Millisecond, func() { done = true })
	require.NoError(t, l.Drive(func() bool { return done }))
	require.LessOrEqual(t, l.Stats().Sleeps, sleeps+3, "it doesn't spin")
}

func TestReadyDescriptorsComeInTheOrderOfTheirRegistration(t *testing.T) {
	for name, opt := range map[string]loop.Option{
		"with a virtual clock": loop.VirtualClock(epoch),
		"with a seed":          loop.Seed(7),
	} {
		t.Run(name, func(t *testing.T) {
			descriptors(t)
			var first []int
			for try := range 5 {
				l := loop.New(opt)
				l.Bridge().Hold()
				const n = 20
				var order []int
				peers := make([]int, n)
				for i := range n {
					a, b := closedPair(t)
					peers[i] = b
					_, err := l.Poll(uintptr(a), pollable(func(r loop.Readiness) {
						if r&loop.Readable != 0 {
							order = append(order, i)
							drain(a)
						}
					}))
					require.NoError(t, err)
				}
				// They become ready in another order each time.
				for i := range n {
					send(t, peers[(i*7+try)%n])
				}
				require.NoError(t, l.Drive(func() bool { return len(order) == n }))
				l.Close()
				if try == 0 {
					first = order
				}
				require.Equal(t, first, order)
			}
			if name == "with a virtual clock" {
				require.True(t, slices.IsSorted(first), "%v", first)
			}
		})
	}
}

func TestAVirtualClockStandsStillForADescriptorThatIsReady(t *testing.T) {
	descriptors(t)
	a, b := closedPair(t)
	l := virtual(t)
	l.Bridge().Hold()
	var d diary
	_, err := l.Poll(uintptr(a), pollable(func(r loop.Readiness) {
		if r&loop.Readable != 0 {
			d.note(fmt.Sprint("data at ", l.Now().Sub(epoch)))
		}
	}))
	require.NoError(t, err)
	l.CallLater(time.Hour, func() { d.note("an hour") })
	l.CallSoon(func() { send(t, b) })
	require.NoError(t, l.Drive(func() bool { return len(d) == 2 }))
	require.Equal(t, diary{"data at 0s", "an hour"}, d)
}

func TestABusyLoopLooksAtItsDescriptors(t *testing.T) {
	descriptors(t)
	a, b := closedPair(t)
	l := open(t)
	received := 0
	_, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) {
		n, _ := drain(a)
		received += n
	}))
	require.NoError(t, err)
	turns := 0
	var again func()
	again = func() { turns++; l.CallSoon(again) }
	again()
	send(t, b)
	require.NoError(t, l.Drive(func() bool { return received == 1 || turns > 1000 }))
	require.Equal(t, 1, received)
}

func TestALoopIsIdleOnlyAfterWhatHasArrived(t *testing.T) {
	descriptors(t)
	a, b := closedPair(t)
	l := held(t)
	var d diary
	_, err := l.Poll(uintptr(a), pollable(func(r loop.Readiness) {
		if r&loop.Readable != 0 {
			d.note("data")
		}
	}))
	require.NoError(t, err)
	l.CallSoon(func() {
		send(t, b)
		l.CallWhenIdle(d.notes("idle"))
	})
	require.NoError(t, l.Drive(func() bool { return len(d) == 2 }))
	require.Equal(t, diary{"data", "idle"}, d)
}

func TestASleeperGivesWayToThePoller(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, b := closedPair(t)
	l := held(t)
	bed := newBed(0, nil)
	received := 0
	l.CallSoon(func() {
		require.True(t, l.Bridge().SleepIn(bed))
		_, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) {
			n, _ := drain(a)
			received += n
		}))
		require.NoError(t, err)
		require.False(t, l.Bridge().SleepIn(newBed(0, nil)), "the loop has descriptors of its own")
	})
	go func() { send(t, b) }()
	require.NoError(t, l.Drive(func() bool { return received == 1 }))
	require.Equal(t, diary{"rises"}, bed.diary)
}

func TestAGuestIsCalledForItsDescriptors(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	a, b := closedPair(t)
	h := newHostLoop()
	l := loop.NewGuest(h.post)
	received := 0
	_, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) {
		n, _ := drain(a)
		received += n
	}))
	require.NoError(t, err)
	for i := range 10 {
		go func() { send(t, b) }()
		h.run(t, func() bool { return received == i+1 })
	}
	l.Close()
}

func TestRemoveFromAnotherGoroutineWhileTheLoopRuns(t *testing.T) {
	descriptors(t)
	leakcheck.Test(t)
	l := held(t)
	removed := 0
	const n = 200
	for range n {
		a, b := closedPair(t)
		p, err := l.Poll(uintptr(a), pollable(func(loop.Readiness) { drain(a) }))
		require.NoError(t, err)
		go func() {
			send(t, b)
			p.Remove()
			l.Post(func() { removed++ })
		}()
	}
	require.NoError(t, l.Drive(func() bool { return removed == n }))
	require.Zero(t, l.Stats().Polled)
}
