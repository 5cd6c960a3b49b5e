package main

import (
	"fmt"
	"runtime"
	"testing"
)

// A host stands in for a test where there is none: the private server and the proxy are made for tests.
type host struct {
	testing.TB // nil: what isn't here isn't used
	cleanups   []func()
	err        error
}

// run calls fn in a goroutine of its own, which a failure ends, and then what was registered with Cleanup.
func (h *host) run(fn func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
	for i := len(h.cleanups) - 1; i >= 0; i-- {
		h.cleanups[i]()
	}
	return h.err
}

func (h *host) Helper()             {}
func (h *host) Name() string        { return "pg" }
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
