package cputime_test

import (
	"runtime"
	"testing"

	"github.com/seed1239206e/repaint/internal/cputime"
)

var sink uint64

func TestTimeGrowsWithWork(t *testing.T) {
	before := cputime.Process()
	if before == 0 {
		t.Skipf("%s doesn't report how much CPU time a process has used", runtime.GOOS)
	}
	// The system's clock may be coarse, so the work goes on until the clock has moved.
	for cputime.Process() == before {
		sink = sink*6364136223846793005 + 1
	}
	if after := cputime.Process(); after < before {
		t.Fatalf("the CPU time went back, from %v to %v", before, after)
	}
}
