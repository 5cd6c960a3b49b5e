//go:build gc && (amd64 || arm64) && !repaint_slowgoid

package greenlet

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// If this fails with a new version of Go, greenlets still work, but slowly or with fewer checks.
// Teach findLayout where the runtime now keeps these things.
func TestDescriptorLayoutIsFound(t *testing.T) {
	require.NotZero(t, goidOffset, "the goroutine's number: without it all is slow")
	require.NotZero(t, lockMask, "the thread that the goroutine is locked to: without it ErrThreadLock is never given")
	require.NotZero(t, statusOffset, "the goroutine's status: without it the reaper stops the world to look")
	require.NotZero(t, labelsOffset, "the labels for profiles: without it greenlets with an idle goroutine don't inherit them")
	require.True(t, boundsFound, "the bounds of the stack: without them large stacks are kept")
}

func TestGoroutineNumbersAgree(t *testing.T) {
	for range 10 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			id := parseGoid()
			for _, got := range []uint64{goid(), quickGoid(), ticket()} {
				if got != id {
					t.Errorf("got %d, the stack trace says %d", got, id)
				}
			}
		}()
		<-done
	}
}

func TestEndedGoroutinesAreRecognized(t *testing.T) {
	var d descriptor
	begun, proceed, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		d = ownDescriptor(goid())
		close(begun)
		<-proceed
	}()
	<-begun
	both := []descriptor{ownDescriptor(goid()), d}
	require.False(t, d.surelyEnded())
	require.Equal(t, []bool{false, false}, endedAmong(both))
	close(proceed)
	<-done
	for !d.surelyEnded() { // the goroutine needs a moment to end
		<-startAndEnd()
	}
	require.Equal(t, []bool{false, true}, endedAmong(both))
	both[0], both[1] = both[1], both[0]
	offset := statusOffset
	defer func() { statusOffset = offset }()
	statusOffset = 0 // as if it hadn't been found
	require.Equal(t, []bool{true, false}, endedAmong(both))
}

// startAndEnd runs a goroutine, which may reuse the descriptor of an ended one.
func startAndEnd() <-chan struct{} {
	done := make(chan struct{})
	go close(done)
	return done
}
