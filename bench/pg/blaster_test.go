package main

import (
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestTheBlasterCountsAnswers(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	at.MustQuery(t, schema)
	w := workloads[0]
	for _, c := range []struct {
		name    string
		change  func(b *blast)
		problem string // "" if there is none
	}{
		{"as it should be", func(*blast) {}, ""},
		{"too few rows", func(b *blast) { b.rows = 2 }, "rows, not"},
		{"too many rows", func(b *blast) { b.rows = 0 }, "rows, not"},
		{"an error", func(b *blast) { b.text = "select 1 / ($1::int - $1)" }, "22012: division by zero"},
		{"no such table", func(b *blast) { b.text = "select $1 from nowhere" }, "42P01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := w.blast
			c.change(&b)
			bl, err := openBlaster(t.Context(), at.URL(), b, 16, 2)
			if err == nil {
				_, err = bl.measure(t.Context(), time.Millisecond, 0)
				if e := bl.close(t.Context()); e != nil {
					t.Error(e)
				}
			}
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Error(err)
			}
		})
	}
}

func TestTheBlasterHasAsManyUnderWayAsThereAreCallers(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	at.MustQuery(t, schema)
	for _, callers := range []int{1, 2, 7, 64} {
		bl, err := openBlaster(t.Context(), at.URL(), workloads[0].blast, callers, 1)
		if err != nil {
			t.Fatal(err)
		}
		s, err := bl.measure(t.Context(), 5*time.Millisecond, 0)
		if err != nil || s.Rate <= 0 || s.P50 <= 0 || s.Connections != 1 {
			t.Error(s, err)
		}
		if c := bl.conns[0]; c.window != callers || c.flying != 0 {
			t.Errorf("%d callers: a window of %d, %d not answered", callers, c.window, c.flying)
		}
		if err := bl.close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
