package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// report prints the table and the verdict. Its error carries the exit status.
func (d *demo) report(ctx context.Context, first, second outcome, failed error) error {
	// After an interrupt before the second colour only the first one counts.
	correct := 0
	for i := range d.requests {
		if first.correct[i] && (second.correct[i] || !second.begun) {
			correct++
		}
	}
	d.printTable(first, second)
	if failed != nil {
		for line := range strings.Lines(failed.Error()) {
			fmt.Fprintln(d.errOut, "demo:", strings.TrimSuffix(line, "\n"))
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintf(d.out, "demo: interrupted, %d of %d correct so far\n", correct, d.requests)
		return exitStatus(exitInterrupted)
	}
	fmt.Fprintf(d.out, "demo: %d of %d correct\n", correct, d.requests)
	if failed != nil || correct != d.requests {
		return exitStatus(exitFailed)
	}
	return nil
}

func (d *demo) printTable(outcomes ...outcome) {
	w := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells ...any) {
		for _, c := range cells {
			fmt.Fprintf(w, "%v\t", c)
		}
		fmt.Fprintln(w)
	}
	row("", "requests", "correct", "seconds", "requests/s", "switches", "loop ticks", "most waiting")
	for _, o := range outcomes {
		correct := 0
		for _, ok := range o.correct {
			if ok {
				correct++
			}
		}
		perSecond := "-"
		if o.took > 0 {
			perSecond = fmt.Sprintf("%.0f", float64(correct)/o.took.Seconds())
		}
		switches, ticks, most := any("-"), any("-"), any("-")
		if o.stats.Ticks > 0 {
			switches, ticks, most = o.stats.Switches, o.stats.Ticks, o.stats.MaxWaiting
		}
		row(o.colour, len(o.correct), correct, fmt.Sprintf("%.3f", o.took.Seconds()), perSecond, switches, ticks, most)
	}
	_ = w.Flush()
}

// A bar shows progress on a terminal. A nil bar shows nothing.
type bar struct{ *progressbar.ProgressBar }

// newBar returns a bar if both outputs are terminals.
func newBar(out, errOut io.Writer, name string, steps int) *bar {
	if !isTerminal(out) || !isTerminal(errOut) {
		return nil
	}
	return &bar{progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(errOut),
		progressbar.OptionSetDescription(fmt.Sprintf("%-10s", name)),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// The bar fails only if writing to the terminal does, so there is nowhere to report its errors.

func (b *bar) add() {
	if b != nil {
		_ = b.Add(1)
	}
}

func (b *bar) finish() {
	if b != nil {
		_ = b.Clear()
	}
}
