package measure

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"
)

var colours = []struct {
	name string
	loop bool
}{{"goroutines", false}, {"loop", true}}

func TestEachCallerCallsWithNumbersOfItsOwn(t *testing.T) {
	for _, c := range colours {
		t.Run(c.name, func(t *testing.T) {
			var mu sync.Mutex
			seen := map[int]int{}
			s, err := Callers{N: 5, Loop: c.loop, Unit: 3}.Run(t.Context(), 0, func(_ context.Context, i int) error {
				mu.Lock()
				defer mu.Unlock()
				seen[i]++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := 1; i <= 5; i++ {
				if seen[i] != 2 { // once to warm up
					t.Errorf("%d was used %d times: %v", i, seen[i], seen)
				}
			}
			if len(seen) != 5 || s.Rate <= 0 || s.P50 <= 0 || s.P99 < s.P50 || s.Mean <= 0 {
				t.Error(seen, s)
			}
		})
	}
}

func TestAnErrorEndsTheMeasurement(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range colours {
		t.Run(c.name, func(t *testing.T) {
			_, err := Callers{N: 3, Loop: c.loop}.Run(t.Context(), time.Millisecond, func(_ context.Context, i int) error { return refused })
			if !errors.Is(err, refused) {
				t.Error(err)
			}
		})
	}
}

func TestAllocationsAreThoseOfACall(t *testing.T) {
	var sink []byte
	s, err := Callers{N: 1}.Run(t.Context(), 20*time.Millisecond, func(context.Context, int) error {
		sink = make([]byte, 4096)
		return nil
	})
	runtime.KeepAlive(sink)
	if err != nil || s.Allocs < 1 || s.Allocs > 1.5 || s.Bytes < 4096 || s.Bytes > 6000 {
		t.Error(s, err)
	}
}

func TestCountCallsAsOftenAsItSays(t *testing.T) {
	calls := 0
	var sink []byte
	s, err := Count(t.Context(), 50, func(_ context.Context, i int) error {
		calls++
		sink = make([]byte, 1024)
		return nil
	})
	runtime.KeepAlive(sink)
	if err != nil || calls != 50 || s.Allocs < 1 || s.Allocs > 2 || s.Bytes < 1024 {
		t.Error(calls, s, err)
	}
}

func TestMedianIsOfEachFigureByItself(t *testing.T) {
	got := Median([]Sample{{Rate: 1, P99: 30}, {Rate: 3, P99: 10}, {Rate: 2, P99: 20}})
	if got != (Sample{Rate: 2, P99: 20}) {
		t.Error(got)
	}
	if got := Median([]Sample{{Rate: 1}, {Rate: 2}}); got.Rate != 1.5 {
		t.Error(got)
	}
}

func TestLatencies(t *testing.T) {
	var calls []time.Duration
	for i := range 100 {
		calls = append(calls, time.Duration(100-i)*time.Microsecond)
	}
	if got := Latencies(calls); got != (Sample{Mean: 50.5, P50: 51, P99: 100}) {
		t.Error(got)
	}
	if got := Latencies(nil); got != (Sample{}) {
		t.Error(got)
	}
}
