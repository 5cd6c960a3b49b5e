package tasks_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/seed1239206e/repaint"
)

// What a signal writes is tested beside DumpOnSignal.
func TestAskedOnASignal(*testing.T) {
	defer repaint.DumpOnSignal(os.Stderr, syscall.SIGQUIT)()
}
