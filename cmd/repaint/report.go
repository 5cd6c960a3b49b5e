package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/terminal"
)

// width returns how many columns there are.
func (d *demo) width() int { return terminal.Width(d.out) }

// introduce prints a line that comes before the acts.
func (d *demo) introduce(format string, args ...any) {
	for _, line := range terminal.Wrap(fmt.Sprintf(format, args...), d.width()) {
		fmt.Fprintln(d.out, line)
	}
}

// heading begins an act.
func (d *demo) heading(act int, text string) {
	fmt.Fprintln(d.out)
	for i, line := range terminal.Wrap(fmt.Sprintf("%d. %s", act, text), d.width()) {
		if i > 0 {
			line = "   " + line
		}
		fmt.Fprintln(d.out, terminal.Bold(d.out, line))
	}
}

// say prints a paragraph of an act.
func (d *demo) say(format string, args ...any) {
	for i, line := range terminal.Wrap(fmt.Sprintf(format, args...), d.width()-5) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(d.out, "   "+line)
	}
}

// verdict prints act 1's table, and the number of requests that were right in each way. Its error
// carries the exit status.
func (d *demo) verdict(ctx context.Context, outcomes []outcome, failed error) error {
	d.correct = 0
	for i := range d.requests {
		right := false
		for _, o := range outcomes {
			// After an interrupt only the ways that were begun count.
			if o.begun {
				if right = o.correct[i]; !right {
					break
				}
			}
		}
		if right {
			d.correct++
		}
	}
	d.printTable(outcomes)
	if d.trace != "" && failed == nil && ctx.Err() == nil {
		d.say("a timeline of some of the greenlets: %s", d.trace)
	}
	if ctx.Err() != nil {
		return d.interrupt()
	}
	if failed != nil {
		d.complain(failed)
	}
	if failed != nil || d.correct != d.requests {
		return exitStatus(exitFailed)
	}
	return nil
}

func (d *demo) complain(err error) {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(d.errOut, "demo:", strings.TrimSuffix(line, "\n"))
	}
}

// interrupt ends the report after an interrupt.
func (d *demo) interrupt() error { return exitStatus(exitInterrupted) }

// conclude prints the last line.
func (d *demo) conclude(ctx context.Context) {
	fmt.Fprintln(d.out)
	if ctx.Err() != nil {
		fmt.Fprintf(d.out, "demo: interrupted, %d of %d correct so far\n", d.correct, d.requests)
		return
	}
	fmt.Fprintf(d.out, "demo: %d of %d correct\n", d.correct, d.requests)
}

// printTable prints a row and a bar for each way.
func (d *demo) printTable(outcomes []outcome) {
	longest, fastest := 0, 0.0
	rate := func(o outcome) float64 {
		if !o.begun || o.took <= 0 {
			return 0
		}
		n := 0
		for _, ok := range o.correct {
			if ok {
				n++
			}
		}
		return float64(n) / o.took.Seconds()
	}
	for _, o := range outcomes {
		longest, fastest = max(longest, len(o.way.name)), max(fastest, rate(o))
	}
	if d.width() >= longest+45 {
		fmt.Fprintf(d.out, "   %*s  requests  time of a  statements\n", longest, "")
		fmt.Fprintf(d.out, "   %*s  a second    request\n", longest, "")
	}
	for _, o := range outcomes {
		r := rate(o)
		each := time.Duration(0)
		if r > 0 {
			each = time.Duration(float64(time.Second) / r).Round(10 * time.Nanosecond)
		}
		switch {
		case d.width() < longest+45 && r > 0: // a table doesn't fit
			d.say("%s: %.0f a second, %v each, %s", o.way.name, r, each, terminal.Counted(int(o.statements), "statement"))
		case d.width() < longest+45:
			d.say("%s: none", o.way.name)
		case !o.begun:
			fmt.Fprintf(d.out, "   %-*s  %8s\n", longest, o.way.name, "-")
		case r == 0:
			fmt.Fprintf(d.out, "   %-*s  %8.0f\n", longest, o.way.name, r)
		default:
			fmt.Fprintf(d.out, "   %-*s  %8.0f  %9v  %10d\n", longest, o.way.name, r, each, o.statements)
		}
	}
	if fastest == 0 {
		return
	}
	room := d.width() - 3 - longest - 2 - 7
	for _, o := range outcomes {
		r := rate(o)
		bar := strings.Repeat("#", max(1, int(r/fastest*float64(room)+0.5)))
		times := ""
		if first := rate(outcomes[0]); first > 0 && r > 0 {
			times = fmt.Sprintf(" %.1f x", r/first)
		}
		fmt.Fprintf(d.out, "   %-*s  %s%s\n", longest, o.way.name, bar, times)
	}
}
