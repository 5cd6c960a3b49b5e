package gauge

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/internal/grid"
	"github.com/seed1239206e/repaint/internal/terminal"
)

// tableWidth is the width that the table with a row for each way needs. On a narrower terminal each
// way has lines instead.
const tableWidth = terminal.Wide

// Head prints what all cases have in common.
func (r *Report) Head(out io.Writer) { r.head(out, terminal.Width(out)) }

func (r *Report) head(out io.Writer, width int) {
	say(out, width, 0, "database: %s, %s", r.Database, r.Server)
	if r.Delay > 0 {
		say(out, width, 0, "network: %v for each round trip, made by a proxy in this process", r.Delay)
	}
	say(out, width, 0, "client: %s, %s/%s, %s", r.Go, r.OS, r.Arch, count(r.CPUs, "processor"))
	say(out, width, 0, "each way: %s at most, %v in %s, in turns", count(r.Connections, "connection"), r.Duration, count(r.Rounds, "round"))
	for _, note := range r.Notes {
		say(out, width, 0, "%s", note)
	}
}

// Print prints a case and what it means.
func (c *Case) Print(out io.Writer) { c.print(out, terminal.Width(out)) }

func (c *Case) print(out io.Writer, width int) {
	fmt.Fprintln(out)
	for _, line := range terminal.Wrap(c.String(), width) {
		fmt.Fprintln(out, terminal.Bold(out, line))
	}
	if width < tableWidth {
		c.lines(out)
	} else {
		c.table(out)
	}
	say(out, width, 1, "%s", c.Verdict)
}

func (c *Case) table(out io.Writer) {
	t := grid.Table{Columns: []grid.Column{
		{Left: true, Width: 19}, {Head: "calls/s", Width: 9}, {Head: "ratio", Width: 5}, {Head: "spread", Width: 9},
		{Head: "p50 ms", Width: 7}, {Head: "p99 ms", Width: 7}, {Head: "CPU µs", Width: 6}, {Head: "conns", Width: 5},
	}}
	for _, x := range c.Results {
		m := x.Median
		ratio, spread := "", ""
		if x.Ratio != nil {
			ratio, spread = grid.Short(x.Ratio.Median), grid.Short(x.Ratio.Least)+"–"+grid.Short(x.Ratio.Most)
		}
		t.Row(terminal.Fit(x.Way, 19), grid.Whole(m.Rate), ratio, spread, grid.Figure(m.P50/1000), grid.Figure(m.P99/1000), grid.Known(m.CPU), strconv.Itoa(m.Connections))
	}
	t.Text(out, 1)
	var sent []string
	for _, x := range c.Results {
		if x.Median.PerWrite > 0 {
			sent = append(sent, fmt.Sprintf("%s %s", x.Way, grid.Figure(x.Median.PerWrite)))
		}
	}
	if len(sent) > 0 {
		say(out, tableWidth, 1, "statements per write: %s", strings.Join(sent, "; "))
	}
}

// lines prints what table does in two to three lines for each way.
func (c *Case) lines(out io.Writer) {
	for _, x := range c.Results {
		m := x.Median
		fmt.Fprintf(out, " %s\n   %s calls/s", x.Way, grid.Whole(m.Rate))
		if x.Ratio != nil {
			fmt.Fprintf(out, ", %s × (%s–%s)", grid.Short(x.Ratio.Median), grid.Short(x.Ratio.Least), grid.Short(x.Ratio.Most))
		}
		fmt.Fprintf(out, "\n   p50 %s ms, p99 %s ms\n   CPU %s µs, %s\n", grid.Figure(m.P50/1000), grid.Figure(m.P99/1000), grid.Known(m.CPU), count(m.Connections, "connection"))
		if m.PerWrite > 0 {
			fmt.Fprintf(out, "   %s statements per write\n", grid.Figure(m.PerWrite))
		}
	}
}

// Foot prints the end.
func (r *Report) Foot(out io.Writer) { r.foot(out, terminal.Width(out)) }

func (r *Report) foot(out io.Writer, width int) {
	fmt.Fprintln(out)
	if len(r.Cases) > 0 {
		say(out, width, 0, "Ratios are those of calls a second to %s in the same round: the median, and the spread from the smallest to the largest. CPU is the client's for a call.", r.Cases[0].Results[0].Way)
	}
	if r.Interrupted {
		say(out, width, 0, "bench: interrupted; repaint helps in %d of %s so far", r.Helped(), count(len(r.Cases), "case"))
		return
	}
	say(out, width, 0, "bench: repaint helps in %d of %s", r.Helped(), count(len(r.Cases), "case"))
}

// say prints a paragraph.
func say(out io.Writer, width, indent int, format string, args ...any) {
	lead := strings.Repeat(" ", indent)
	for i, line := range terminal.Wrap(fmt.Sprintf(format, args...), width-indent-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(out, lead+terminal.Fit(line, width-indent))
	}
}
