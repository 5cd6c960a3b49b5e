package rolestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// full reports whether the whole scenario is to run, which takes minutes.
func full() bool { return os.Getenv("REPAINT_FAILOVER") == "1" }

// A load is 100 tasks of a loop and 64 goroutines that write rows, take tokens and read what they
// have written. It keeps account of what they were told.
type load struct {
	db      *pg.DB
	reader  *pg.Reader
	stop    chan struct{}
	stopped sync.WaitGroup

	acknowledged, read, failedReads, failedWrites atomic.Int64
	lastAck, gap                                  atomic.Int64 // in nanoseconds; gap is the longest time without an acknowledged write

	mu       sync.Mutex
	written  []int // acknowledged
	absent   []int // failed, and said that they had no effect
	faults   []error
	examples []string // of errors
}

const (
	tasks      = 100
	goroutines = 64
)

func startLoad(t *testing.T, ctx context.Context, db *pg.DB) *load {
	t.Helper()
	l := &load{db: db, reader: db.Reader(), stop: make(chan struct{})}
	l.lastAck.Store(time.Now().UnixNano())
	for w := range goroutines {
		l.stopped.Go(func() { l.work(ctx, w) })
	}
	l.stopped.Go(func() {
		err := repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			for w := range tasks {
				g.Go(func(ctx context.Context) error {
					l.work(ctx, goroutines+w)
					return nil
				})
			}
			return g.Wait()
		})
		if err != nil {
			l.fault(err)
		}
	})
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *load) end() {
	l.mu.Lock()
	if !l.ended() {
		close(l.stop)
	}
	l.mu.Unlock()
	l.stopped.Wait()
}

func (l *load) fault(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) < 20 {
		l.faults = append(l.faults, err)
	}
}

func (l *load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.examples) < 5 {
		l.examples = append(l.examples, err.Error())
	}
}

func (l *load) work(ctx context.Context, worker int) {
	for k := 0; !l.ended() && ctx.Err() == nil; k++ {
		id := worker*1_000_000 + k
		if !l.write(ctx, id) {
			_ = repaint.Sleep(ctx, 5*time.Millisecond) // as a program would, before it tries again
			continue
		}
		l.readBack(ctx, id)
	}
}

func (l *load) write(ctx context.Context, id int) bool {
	_, err := l.db.Exec(ctx, "insert into written values ($1)", id)
	var st *pg.StatementError
	if err != nil && errors.As(err, &st) && st.MaybeApplied {
		l.failedWrites.Add(1)
		l.note(err)
		return false
	}
	l.mu.Lock()
	if err == nil {
		l.written = append(l.written, id)
	} else {
		l.absent = append(l.absent, id)
	}
	l.mu.Unlock()
	if err != nil {
		l.failedWrites.Add(1)
		l.note(err)
		return false
	}
	l.acknowledged.Add(1)
	now := time.Now().UnixNano()
	pause := now - l.lastAck.Swap(now)
	for was := l.gap.Load(); pause > was && !l.gap.CompareAndSwap(was, pause); was = l.gap.Load() {
	}
	return true
}

// readBack reads a row that was acknowledged: with the token of after that, no server may lack it.
func (l *load) readBack(ctx context.Context, id int) {
	token, err := l.db.Token(ctx)
	if err != nil {
		l.failedReads.Add(1)
		return
	}
	var n int
	switch err := l.reader.QueryRow(pg.WaitFor(ctx, token), "select count(*) from written where id = $1", id).Scan(&n); {
	case err != nil:
		l.failedReads.Add(1)
		l.note(err)
	case n != 1:
		l.fault(fmt.Errorf("row %d was read %d times with token %v", id, n, token))
	default:
		l.read.Add(1)
	}
}

// until waits until the load has done more.
func (l *load) until(t *testing.T, ctx context.Context, what string, more func() bool) {
	t.Helper()
	for !more() {
		require.NoError(t, repaint.Sleep(ctx, time.Millisecond), "%s: %s", what, l)
	}
}

// goesOn waits until writes and reads that began from now on have succeeded.
func (l *load) goesOn(t *testing.T, ctx context.Context, what string) {
	t.Helper()
	writes, reads := l.acknowledged.Load(), l.read.Load()
	l.until(t, ctx, what, func() bool {
		return l.acknowledged.Load() > writes+tasks+goroutines && l.read.Load() > reads+tasks+goroutines
	})
}

func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d written, %d read back, %d writes and %d reads failed (%s)",
		l.acknowledged.Load(), l.read.Load(), l.failedWrites.Load(), l.failedReads.Load(), strings.Join(l.examples, "; "))
}

// audit ends the load, and checks what it was told against what a server has.
func (l *load) audit(t *testing.T, primary *testserver.Server) {
	t.Helper()
	l.end()
	require.Empty(t, l.faults)
	times := map[int]int{}
	for line := range strings.Lines(primary.MustQuery(t, "select id, count(*) from written group by id")) {
		fields := strings.Fields(line)
		id, err := strconv.Atoi(fields[0])
		require.NoError(t, err)
		if times[id], err = strconv.Atoi(fields[1]); times[id] != 1 {
			require.NoError(t, err)
			t.Errorf("row %d is there %d times", id, times[id])
		}
	}
	missing := slices.DeleteFunc(slices.Clone(l.written), func(id int) bool { return times[id] == 1 })
	require.Empty(t, missing, "acknowledged, and not there")
	there := slices.DeleteFunc(slices.Clone(l.absent), func(id int) bool { return times[id] == 0 })
	require.Empty(t, there, "without effect, and there")
	t.Log(l)
}
