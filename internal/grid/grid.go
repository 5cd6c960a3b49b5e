// Package grid draws tables, in Markdown and as text, and writes the numbers in them.
package grid

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A Column is one of a Table.
type Column struct {
	Head string
	Left bool // texts begin on the left; otherwise they end on the right, as numbers do
	// Width is the least number of characters as text. A longer cell makes the column wider.
	Width int
}

// A Table has rows below the heads of its columns. Row adds one.
type Table struct {
	Columns []Column
	rows    [][]string
}

// New returns a table whose first column is on the left, and all others on the right.
func New(heads ...string) *Table {
	t := new(Table)
	for i, head := range heads {
		t.Columns = append(t.Columns, Column{Head: head, Left: i == 0})
	}
	return t
}

// Row adds a row. Missing cells are empty. It panics if there are more cells than columns.
func (t *Table) Row(cells ...string) {
	if len(cells) > len(t.Columns) {
		panic(fmt.Sprintf("grid: a row of %d cells for %d columns", len(cells), len(t.Columns)))
	}
	t.rows = append(t.rows, append(cells, make([]string, len(t.Columns)-len(cells))...))
}

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Markdown writes the table in Markdown.
func (t *Table) Markdown(w io.Writer) {
	head, rule := "|", "|"
	for _, c := range t.Columns {
		head += markdownCell(c.Head)
		if c.Left {
			rule += " --- |"
		} else {
			rule += " ---: |"
		}
	}
	fmt.Fprintf(w, "%s\n%s\n", head, rule)
	for _, row := range t.rows {
		line := "|"
		for _, cell := range row {
			line += markdownCell(cell)
		}
		fmt.Fprintln(w, line)
	}
}

func markdownCell(text string) string {
	if text == "" {
		return " |"
	}
	return " " + strings.ReplaceAll(text, "|", `\|`) + " |"
}

// Text writes the table with a blank between columns, each line after so many blanks.
func (t *Table) Text(w io.Writer, indent int) {
	heads := make([]string, len(t.Columns))
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		heads[i], widths[i] = c.Head, max(c.Width, utf8.RuneCountInString(c.Head))
	}
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range append([][]string{heads}, t.rows...) {
		line := strings.Repeat(" ", indent)
		for i, cell := range row {
			if i > 0 {
				line += " "
			}
			room := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.Columns[i].Left {
				line += cell + room
			} else {
				line += room + cell
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}
