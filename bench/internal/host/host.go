// Package host lets a command use test tools: private servers and the proxy.
package host

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// Run calls fn in a goroutine of its own, which a failure ends. Then it calls the functions
// registered with Cleanup, and ends the servers. It returns the first failure. A missing server is
// a failure, too.
func Run(fn func(tb testing.TB)) error {
	h := new(host)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(h)
	}()
	<-done
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
	if err := testserver.Shutdown(); h.err == nil {
		h.err = err
	}
	return h.err
}

// A host stands in for a test where there is none.
type host struct {
	testing.TB // nil: the methods that host lacks aren't used
	cleanups   []func()
	err        error
}

func (h *host) Helper()             {}
func (h *host) Name() string        { return "bench" }
func (h *host) Failed() bool        { return h.err != nil }
func (h *host) Cleanup(fn func())   { h.cleanups = append(h.cleanups, fn) }
func (h *host) Logf(string, ...any) {}
func (h *host) Log(...any)          {}
func (h *host) Fatal(args ...any)   { h.Fatalf("%s", fmt.Sprint(args...)) }
func (h *host) Errorf(f string, a ...any) {
	if h.err == nil {
		h.err = fmt.Errorf(f, a...)
	}
}

func (h *host) Fatalf(f string, a ...any) {
	h.Errorf(f, a...)
	runtime.Goexit()
}

func (h *host) Skipf(f string, a ...any) { h.Fatalf(f, a...) }

// Lacks calls start, which starts a server. It returns why the server is missing, or "". A server
// that is there but fails ends tb.
func Lacks(tb testing.TB, start func(tb testing.TB)) string {
	s := &starter{TB: tb}
	done := make(chan struct{})
	go func() {
		defer close(done)
		start(s)
	}()
	<-done
	if s.failed != "" {
		tb.Fatal(s.failed)
	}
	return s.lacking
}

// A starter keeps the failure that would end its test.
type starter struct {
	testing.TB
	lacking, failed string
}

func (s *starter) Skipf(f string, a ...any) {
	s.lacking = fmt.Sprintf(f, a...)
	runtime.Goexit()
}

func (s *starter) Fatalf(f string, a ...any) {
	s.failed = fmt.Sprintf(f, a...)
	runtime.Goexit()
}
