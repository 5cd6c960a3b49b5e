// Package holding says where connections were taken, for callers that wait for one in vain.
package holding

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// One is a connection that has a user.
type One struct {
	Place string // file:line
	Since time.Time
}

// mostPlaces is how many places a text names.
const mostPlaces = 5

// Every says that one of so many taken connections is recorded, outside debug mode. A connection is
// always recorded if it leaves no other free.
const Every = 8

// Text says where connections were taken, as a continuation of "are in use". inUse is how many are
// in use. The holders may be only a sample of these.
func Text(holders []One, inUse int) string {
	slices.SortStableFunc(holders, func(a, b One) int { return a.Since.Compare(b.Since) })
	switch {
	case len(holders) > 0 && len(holders) >= inUse:
		return ", taken " + places(holders)
	case len(holders) > 0:
		return " (REPAINT_DEBUG=1 shows where they were taken), some of them " + places(holders)
	}
	return " (REPAINT_DEBUG=1 shows where they were taken)"
}

// places names each place once, with the oldest connection that was taken there.
func places(holders []One) string {
	var each []string
	count := map[string]int{}
	for _, h := range holders {
		count[h.Place]++
	}
	for _, h := range holders {
		n := count[h.Place]
		if n == 0 {
			continue // it was named with an older one
		}
		delete(count, h.Place)
		if len(each) == mostPlaces {
			each = append(each, "and elsewhere")
			break
		}
		text := fmt.Sprintf("at %s %v ago", h.Place, time.Since(h.Since).Round(time.Millisecond))
		if n > 1 {
			text += fmt.Sprintf(" (the oldest of %d)", n)
		}
		each = append(each, text)
	}
	return strings.Join(each, ", ")
}
