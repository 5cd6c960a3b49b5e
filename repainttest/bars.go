package repainttest

import (
	"fmt"
	"slices"
	"strings"
)

// A barsOf finds the transactions and the waits for locks in a schedule's events, whose lines it
// gets in their order.
type barsOf struct {
	columns map[string]int // by tasks
	open    []*openBar
	done    []pageBar
}

// An openBar is a bar whose end hasn't come yet.
type openBar struct {
	pageBar
	task    string
	session user
	waits   bool   // for a lock
	text    string // the statement that waits
}

// see takes the next event. It reports whether the event is the answer to a statement that has
// waited for a lock.
func (b *barsOf) see(e event, line int) (answer bool) {
	if e.kind == ends {
		b.close(line, "unknown", func(o *openBar) bool { return o.task == e.task && o.waits })
		return false
	}
	if e.kind != sends {
		return false
	}
	if waiting := b.close(line, "waiting", func(o *openBar) bool { return o.task == e.task && o.waits && o.text == e.what }); waiting {
		answer = true
	}
	if e.result == waitsForLock || e.holders != nil {
		b.begin(e, line, true)
		return answer
	}
	for _, text := range strings.Split(e.what, ";") {
		switch outcome := outcomeOf(text, e.failed); outcome {
		case "":
		case "begun":
			b.close(line, "unknown", b.transactionOf(e))
			b.begin(e, line, false)
		default:
			b.close(line, outcome, b.transactionOf(e))
		}
	}
	return answer
}

func (b *barsOf) transactionOf(e event) func(*openBar) bool {
	return func(o *openBar) bool { return !o.waits && o.task == e.task && o.session == e.session }
}

// begin opens a bar. Bars of one task that overlap stand side by side.
func (b *barsOf) begin(e event, line int, waits bool) {
	lane := 0
	for _, o := range b.open {
		if o.task == e.task {
			lane = max(lane, o.Lane+1)
		}
	}
	b.open = append(b.open, &openBar{
		pageBar: pageBar{Column: b.columns[e.task], From: line, Lane: lane},
		task:    e.task, session: e.session, waits: waits, text: e.what,
	})
}

// close ends the open bars of which is says so.
func (b *barsOf) close(line int, kind string, is func(*openBar) bool) (any bool) {
	b.open = slices.DeleteFunc(b.open, func(o *openBar) bool {
		if !is(o) {
			return false
		}
		any = true
		o.To, o.Kind = line, kind
		what := "transaction"
		if o.waits {
			o.Kind, what = "waiting", "wait for a lock"
		}
		o.Title = fmt.Sprintf("%s of %s", what, list([]string{o.task}))
		if !o.waits {
			o.Title += ": " + strings.ReplaceAll(kind, "-", " ")
		}
		b.done = append(b.done, o.pageBar)
		return true
	})
	return any
}

// end returns all bars. Those that are open reach to the last line.
func (b *barsOf) end(last int) []pageBar {
	b.close(last, "open", func(*openBar) bool { return true })
	slices.SortStableFunc(b.done, func(x, y pageBar) int { return x.From - y.From })
	return b.done
}

// outcomeOf returns what a statement does to its transaction: begun, committed, rolled-back, or
// unknown if it may have been committed. It returns "" if the statement does neither. What decides
// is the statement's first words, because a schedule doesn't know which database's SQL it has.
func outcomeOf(text string, failed bool) string {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		return ""
	}
	second := ""
	if len(words) > 1 {
		second = words[1]
	}
	switch words[0] {
	case "begin":
		if !failed {
			return "begun"
		}
	case "start":
		if second == "transaction" && !failed {
			return "begun"
		}
	case "commit", "end":
		if failed {
			return "unknown"
		}
		return "committed"
	case "rollback", "abort":
		if second == "to" || slices.Contains(words, "savepoint") || failed {
			return ""
		}
		return "rolled-back"
	}
	return ""
}
