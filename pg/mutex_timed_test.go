//go:build mutextimes

package pg

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkMutex measures for how long a point select holds the mutex of all lanes. That limits how
// many selects a second are possible, on any number of processors:
//
//	go test -tags mutextimes -run '^$' -bench Mutex ./pg
func BenchmarkMutex(b *testing.B) {
	target := worldDatabase(b)
	for _, inLoop := range []bool{false, true} {
		for _, callers := range []int{32, 256} {
			b.Run(fmt.Sprintf("loop=%v/callers=%d", inLoop, callers), func(b *testing.B) {
				db := openAt(b, target.SocketURL()+"&pool_lanes=16")
				lanes := &db.lanes.mu
				var locks, held int64
				measure(b, inLoop, callers, func(ctx context.Context, i int) error {
					if i == 0 { // before the benchmark's clock runs
						err := selectPoint(ctx, db, i)
						n, t := lanes.times()
						locks, held = n, t.Nanoseconds()
						return err
					}
					return selectPoint(ctx, db, i)
				})
				n, t := lanes.times()
				each := float64(t.Nanoseconds()-held) / float64(b.N)
				b.ReportMetric(float64(n-locks)/float64(b.N), "locks/op")
				b.ReportMetric(each, "held-ns/op")
				b.ReportMetric(1e9/each, "bound/s")
			})
		}
	}
}
