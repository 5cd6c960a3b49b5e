package repainttest

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/seed1239206e/repaint/sqltext"
)

// ReportHeld makes the watch over a loop that is held report soon, and to w.
func ReportHeld(w io.Writer) (restore func()) {
	after, to := heldTime, heldReport
	heldTime, heldReport = 10*time.Millisecond, w
	return func() { heldTime, heldReport = after, to }
}

// All is what a search says that has gone through all schedules.
type All struct {
	Tried, Left    int
	Stands, Broken string
	Done           bool
}

// SearchAll goes through up to n schedules.
func SearchAll(ctx context.Context, n int, main func(ctx context.Context) error, opts ...Option) (all All, err error) {
	s, err := newSearch(ctx, main, opts)
	if err != nil {
		return all, err
	}
	if _, all.Tried, err = s.find(ctx, n, 1); err != nil {
		return all, err
	}
	all.Done = s.tree.done()
	if d := s.tree.reduction; d != nil {
		all.Left, all.Broken, all.Stands = d.left, d.broken, d.stands.String()
	}
	return all, nil
}

// Footprint returns the tables that a statement reads and changes; all says that it may do anything.
func (s *Schema) Footprint(l *sqltext.Language, text string) (reads, writes []string, all bool) {
	f := s.readStatement(l, text).touch
	return slices.Sorted(slices.Values(f.reads)), slices.Sorted(slices.Values(f.writes)), f.all
}
