package repainttest

import (
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/internal/webpage"
)

// PageVariable is the environment variable that makes [Explore] write the page of a schedule, as
// [Page] does. Its value is the same path, and overrides the option's.
const PageVariable = "REPAINT_PAGE"

// Page makes [Explore] write the schedule that it shows, of a failure or of a repetition, as an
// HTML page: tasks as columns, time downwards, transactions as bars, waits for locks as arrows to
// the tasks that have the locks, and each statement's result on a click. The page is one file that
// needs nothing else.
//
// The path is relative to the test's package. If it ends with .html, it is the file. Otherwise it
// is a directory, which is made if there is none, and the file has the name of the test. An
// existing page is replaced. If the page can't be written, the test's report says why.
func Page(path string) Option { return setting(func(s *settings) { s.page = path }) }

// pageFile returns the path of the test's page, or "" if no page is wanted.
func (s *settings) pageFile(test string) string {
	path := s.page
	if env := os.Getenv(PageVariable); env != "" {
		path = env
	}
	if path == "" || strings.EqualFold(filepath.Ext(path), ".html") {
		return path
	}
	return filepath.Join(path, unsafeInNames.ReplaceAllString(test, "_")+".html")
}

// unsafeInNames matches the characters that some system doesn't allow in a file's name.
var unsafeInNames = regexp.MustCompile(`[^\pL\pN._=#-]+`)

// show writes the page of a schedule if one is wanted, and says where it is.
func (x *exploration) show(r *recorder, how, command string) {
	x.t.Helper()
	path := x.settings.pageFile(x.t.Name())
	if path == "" {
		return
	}
	if full, err := filepath.Abs(path); err == nil {
		path = full
	}
	if err := r.writePage(path, x.t.Name(), how, command); err != nil {
		x.t.Errorf("can't write the page of this schedule, for which %s or repainttest.Page asks: %v", PageVariable, err)
		return
	}
	x.t.Logf("the page of this schedule: %s", path)
}

func (r *recorder) writePage(path, test, how, command string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = webpage.Write(f, webpage.Page{
		Title:  test + ": a schedule",
		Style:  pageStyle,
		Script: pageScript,
		Body:   pageBody,
		View:   r.pageView(test, how, command),
	})
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

//go:embed page/style.css
var pageStyle string

//go:embed page/script.js
var pageScript string

//go:embed page/body.html
var pageText string

var pageBody = template.Must(template.New("schedule").Parse(pageText))

// A pageView is what the page shows. Lines of its grid count from 1, and the first is that of the
// titles. Columns count from 1, and the first is that of the steps' numbers.
type pageView struct {
	Test, How, Command string
	Columns            []pageColumn
	Rows               []pageRow
	Bars               []pageBar
	Lines              int // of the grid
	Quiet              bool
}

// End is the line after the last.
func (v *pageView) End() int { return v.Lines + 1 }

type pageColumn struct {
	Column int
	Title  string
	Site   string // where the task was spawned
	Quiet  bool   // see recorder.quiet
}

type pageRow struct {
	Line, Column int
	Number       string
	Task         string
	Quiet        bool
	Parts        []pagePart
	Arrows       []pageArrow
}

// A pagePart is a part of a row: a statement with its result, a wait, or a task's beginning or end.
type pagePart struct {
	Kind                             string // statement, answer, wait or mark
	Text, Args, Result, Fault, Where string
	Failed, Locked                   bool
}

// A pageBar is a transaction, or a statement's wait for a lock, from one line to another.
type pageBar struct {
	Column, From, To, Lane int
	Kind                   string // committed, rolled-back, unknown, open or waiting
	Title                  string
}

// End is the line after the bar's last.
func (b pageBar) End() int { return b.To + 1 }

// A pageArrow leads from a statement that waits for a lock to the task that has the lock. It is as
// wide as the columns from From up to To.
type pageArrow struct {
	From, To, Nth int
	Left          bool // to the left
	Title         string
}

// pageView returns what the page of the recorded schedule shows.
func (r *recorder) pageView(test, how, command string) *pageView {
	rows, quiet := r.rows(), r.quiet()
	v := &pageView{Test: test, How: how, Command: command, Lines: len(rows) + 1, Quiet: quiet != nil}
	columns := map[string]int{}
	for i, c := range r.columns(rows) {
		columns[c.task] = i + 2
		v.Columns = append(v.Columns, pageColumn{i + 2, c.title, r.site(c.task), slices.Contains(quiet, c.task)})
	}
	bars := barsOf{columns: columns}
	for i, row := range rows {
		p := pageRow{Line: i + 2, Column: columns[row.task], Number: row.number, Task: row.task, Quiet: slices.Contains(quiet, row.task)}
		if row.events == nil {
			p.Parts = []pagePart{{Kind: "mark", Text: row.text}}
		}
		for _, e := range row.events {
			part := pagePartOf(e)
			if bars.see(e, p.Line) {
				part.Kind = "answer"
			}
			p.Parts = append(p.Parts, part)
			for _, holder := range e.holders {
				p.Arrows = append(p.Arrows, arrow(p.Column, columns[holder], len(p.Arrows), row.task, holder))
			}
		}
		v.Rows = append(v.Rows, p)
	}
	v.Bars = bars.end(v.Lines)
	return v
}

// site returns where a task was spawned.
func (r *recorder) site(task string) string {
	for _, t := range r.tasks {
		if t.ID == task {
			return t.Site
		}
	}
	return ""
}

func pagePartOf(e event) pagePart {
	switch e.kind {
	case sends:
		return pagePart{Kind: "statement", Text: e.what, Args: e.args, Result: e.result, Fault: strings.TrimSpace(e.fault),
			Where: e.place, Failed: e.failed, Locked: e.holders != nil || e.result == waitsForLock}
	case waits:
		return pagePart{Kind: "wait", Text: "waits for " + e.what, Where: e.place}
	}
	return pagePart{Kind: "mark", Text: e.String()}
}

func arrow(from, to, nth int, waits, holds string) pageArrow {
	return pageArrow{
		From: min(from, to), To: max(from, to), Nth: nth, Left: to < from,
		Title: fmt.Sprintf("%s waits for a lock of %s", list([]string{waits}), list([]string{holds})),
	}
}
