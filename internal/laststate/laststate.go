// Package laststate tells, when a test waits in vain, in what state the things are that it has made.
package laststate

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

var (
	mu  sync.Mutex
	all = map[string][]func() any{} // by the name of the test
)

// Add makes Of show what the function returns, until the test ends. Any goroutine may call the
// function.
func Add(t testing.TB, state func() any) {
	name := t.Name()
	mu.Lock()
	defer mu.Unlock()
	if all[name] == nil {
		t.Cleanup(func() {
			mu.Lock()
			defer mu.Unlock()
			delete(all, name)
		})
	}
	all[name] = append(all[name], state)
}

// Of returns the present states of what the test and the tests around it have added, each on a line
// of its own.
func Of(t testing.TB) string {
	var states []func() any
	mu.Lock()
	for name := t.Name(); ; {
		states = append(states, all[name]...)
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			break
		}
		name = name[:i]
	}
	mu.Unlock()
	var s strings.Builder
	for _, state := range states {
		fmt.Fprintf(&s, "\n%+v", state())
	}
	return s.String()
}
