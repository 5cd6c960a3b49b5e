package repainttest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A schedule is the order in which the tasks of a program make their steps. A step is what a task
// does from one wait to the next. As text it is "1*2 2*3 1": two steps of task 1, three of task 2,
// one of task 1. The steps after its end are settled: a task goes on for as long as it can, and
// then the next in line does. So a schedule says little, and the rest may change.
type schedule []turn

// A turn is a number of steps of one task, one after another.
type turn struct {
	task  string
	steps int
}

func (s schedule) String() string {
	var parts []string
	for _, r := range s {
		if r.steps == 1 {
			parts = append(parts, r.task)
		} else {
			parts = append(parts, fmt.Sprintf("%s*%d", r.task, r.steps))
		}
	}
	return strings.Join(parts, " ")
}

var taskPattern = regexp.MustCompile(`^(main|c?[1-9][0-9]*(\.[1-9][0-9]*)*(![a-z]+)?)$`)

// parseSchedule reads what String writes. A # begins a comment that reaches to the end of the line.
func parseSchedule(text string) (schedule, error) {
	var s schedule
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, word := range strings.Fields(line) {
			task, count, many := strings.Cut(word, "*")
			steps := 1
			if many {
				n, err := strconv.Atoi(count)
				if err != nil || n < 1 {
					return nil, fmt.Errorf("%q has no number of steps after the *", word)
				}
				steps = n
			}
			if !taskPattern.MatchString(task) {
				return nil, fmt.Errorf("%q names no task: tasks are called main, 1, 2.1 and the like", word)
			}
			s = s.then(task, steps)
		}
	}
	return s, nil
}

// then returns the schedule with steps of a task after it. It may change s.
func (s schedule) then(task string, steps int) schedule {
	if n := len(s); n > 0 && s[n-1].task == task {
		s[n-1].steps += steps
		return s
	}
	return append(s, turn{task, steps})
}

// joined returns a copy in which neighbours of the same task are one turn, and empty turns are left
// out.
func (s schedule) joined() schedule {
	var all schedule
	for _, r := range s {
		if r.steps > 0 {
			all = all.then(r.task, r.steps)
		}
	}
	return all
}

// tasks returns how many tasks the schedule names.
func (s schedule) tasks() int {
	names := map[string]bool{}
	for _, r := range s {
		names[r.task] = true
	}
	return len(names)
}

// steps returns the number of steps in the schedule.
func (s schedule) steps() int {
	n := 0
	for _, r := range s {
		n += r.steps
	}
	return n
}
