package repainttest

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed1239206e/repaint/internal/explore"
)

// The picture of a schedule has a column for each task and a row for each step.

const (
	pictureWidth = 137 // if the columns can be that narrow
	columnWidth  = 24  // at least
	narrowest    = 12  // at least, where less than pictureWidth is asked for
	mostRows     = 200 // shown of a schedule
	numberWidth  = 5
)

// A row of the picture is one cell in one column, in as many lines as it needs.
type row struct {
	number string
	task   string
	text   string
	events []event // of which the text is
}

// picture draws what a recorder has recorded, in lines of that width if the columns can be that
// narrow.
func (r *recorder) picture(most int) string {
	rows := r.rows()
	if most < pictureWidth {
		rows = slices.DeleteFunc(rows, r.goesWithoutSaying)
	}
	quiet := r.quiet()
	rows = slices.DeleteFunc(rows, func(r row) bool { return slices.Contains(quiet, r.task) })
	left := 0
	if len(rows) > mostRows {
		left = len(rows) - mostRows
		rows = rows[:mostRows]
	}
	columns := r.columns(rows)
	least := columnWidth
	if most < pictureWidth {
		least = narrowest
	}
	width := max(least, (most-numberWidth)/max(len(columns), 1)-3)
	for i, c := range columns {
		longest := utf8.RuneCountInString(c.title)
		for _, row := range rows {
			if row.task == c.task {
				longest = max(longest, utf8.RuneCountInString(row.text))
			}
		}
		columns[i].width = min(width, longest)
	}
	var b strings.Builder
	titles := make([][]string, len(columns))
	for i, c := range columns {
		titles[i] = wrapped(c.title, c.width)
	}
	writeCells(&b, "", columns, titles)
	b.WriteString(strings.Repeat("-", numberWidth))
	for _, c := range columns {
		b.WriteString("-+-" + strings.Repeat("-", c.width))
	}
	b.WriteByte('\n')
	for _, row := range rows {
		cells := make([][]string, len(columns))
		for i, c := range columns {
			if c.task == row.task {
				cells[i] = wrapped(row.text, c.width)
			}
		}
		writeCells(&b, row.number, columns, cells)
	}
	if left > 0 {
		fmt.Fprintf(&b, "… and %d more rows\n", left)
	}
	if quiet != nil {
		fmt.Fprintf(&b, "not shown: %s, which weren't overtaken\n", list(quiet))
	}
	return b.String()
}

// goesWithoutSaying reports whether a row needn't be shown where there is little room: a task
// begins before any step, or the main function does nothing but wait for its tasks and end.
func (r *recorder) goesWithoutSaying(row row) bool {
	if row.task != explore.Main {
		return row.number == "" && row.text == "begins"
	}
	own := 0
	for n, s := range r.steps {
		if n > 0 && s.task == explore.Main {
			own++
		}
		for _, e := range s.events {
			if e.task == explore.Main && e.kind == sends {
				return false
			}
		}
	}
	return own <= 1 && len(r.tasks) > 1
}

// fewTasks are always shown.
const fewTasks = 3

// quiet returns tasks that needn't be shown: there are many tasks, the schedule doesn't name these,
// and each made its steps in one go.
func (r *recorder) quiet() []string {
	needed := r.needed()
	if len(r.tasks) <= fewTasks || needed.tasks() < 2 {
		return nil
	}
	turns := map[string]int{}
	for _, t := range r.schedule() {
		turns[t.task]++
	}
	for _, t := range needed {
		turns[t.task] = 2
	}
	var all []string
	for _, t := range r.tasks {
		if turns[t.ID] < 2 {
			all = append(all, t.ID)
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all
}

type column struct {
	task, title string
	width       int
}

// columns returns a column for each task that has a row, in the order in which the tasks began.
func (r *recorder) columns(rows []row) []column {
	all := []column{{task: explore.Main, title: "main"}}
	for _, t := range r.tasks {
		title := "task " + t.ID
		if t.Name != "" {
			title += " (" + t.Name + ")"
		}
		all = append(all, column{task: t.ID, title: title})
	}
	for _, row := range rows {
		if !slices.ContainsFunc(all, func(c column) bool { return c.task == row.task }) {
			all = append(all, column{task: row.task, title: "callback " + row.task})
		}
	}
	return slices.DeleteFunc(all, func(c column) bool {
		return !slices.ContainsFunc(rows, func(r row) bool { return r.task == c.task })
	})
}

// rows returns the rows to show: for each task what it does in each of its steps. Steps in which a
// task does the same again and again share a row.
func (r *recorder) rows() []row {
	var all []row
	for n, s := range r.steps {
		number := ""
		if n > 0 {
			number = fmt.Sprint(n)
		}
		first := len(all)
		for _, e := range s.events {
			if e.kind == asks {
				continue // the statement will be seen
			}
			if last := len(all) - 1; last >= first && all[last].task == e.task {
				all[last].text += "; " + e.String()
				all[last].events = append(all[last].events, e)
				continue
			}
			all = append(all, row{"", e.task, e.String(), []event{e}})
		}
		if n == 0 {
			continue
		}
		own := slices.IndexFunc(all[first:], func(r row) bool { return r.task == s.task })
		if own < 0 {
			text := "goes on"
			if s.task == explore.Main {
				text = "ends"
			}
			all = append(all, row{number, s.task, text, nil})
			continue
		}
		all[first+own].number = number
		all = joinLast(all, first)
	}
	return all
}

// joinLast joins the last row, if it is the only one from first on, with the row before it if they
// differ only in the number.
func joinLast(all []row, first int) []row {
	last := len(all) - 1
	if first != last || first == 0 {
		return all
	}
	before := &all[last-1]
	if before.number == "" || before.task != all[last].task || before.text != all[last].text {
		return all
	}
	begin, _, _ := strings.Cut(before.number, "-")
	before.number = begin + "-" + all[last].number
	return all[:last]
}

// writeCells writes one row.
func writeCells(b *strings.Builder, number string, columns []column, cells [][]string) {
	lines := 1
	for _, c := range cells {
		lines = max(lines, len(c))
	}
	for n := range lines {
		var line strings.Builder
		if n == 0 {
			fmt.Fprintf(&line, "%*s", numberWidth, number)
		} else {
			line.WriteString(strings.Repeat(" ", numberWidth))
		}
		for i, c := range columns {
			text := ""
			if n < len(cells[i]) {
				text = cells[i][n]
			}
			line.WriteString(" | " + text + strings.Repeat(" ", c.width-utf8.RuneCountInString(text)))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// wrapped breaks a text into lines of the width, between words where it can.
func wrapped(text string, width int) []string {
	var lines []string
	line := []rune{}
	for word := range strings.FieldsSeq(text) {
		rest := []rune(word)
		if len(line) > 0 && len(line)+1+len(rest) > width {
			lines = append(lines, string(line))
			line = line[:0]
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		for len(line)+len(rest) > width {
			n := width - len(line)
			lines = append(lines, string(append(line, rest[:n]...)))
			line, rest = line[:0], rest[n:]
		}
		line = append(line, rest...)
	}
	return append(lines, string(line))
}
