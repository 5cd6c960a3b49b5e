package python

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed1239206e/repaint/bench/internal/plan"
	"time"
)

const echo = `
import json, sys
for line in sys.stdin:
    q = json.loads(line)
    if q == "die":
        sys.exit("it dies")
    if q == "sleep":
        sys.stdin.read()
    print(json.dumps({"error": "refused"} if q == "fail" else {"got": q, "args": sys.argv[1:]}), flush=True)
`

// start skips the test where there is no Python at all, which is a failure where the peers are
// required.
func start(t *testing.T) *Process {
	interpreter, err := Find("json, sys", "python3")
	if err != nil {
		plan.Present(t, []string{err.Error()})
	}
	p, err := Start(t.Context(), interpreter, echo, "one", "two")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProcessAnswersAgainAndAgain(t *testing.T) {
	p := start(t)
	for _, want := range []string{"hello", "again"} {
		var answer struct {
			Got  string
			Args []string
		}
		if err := p.Call(t.Context(), want, &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Got != want || strings.Join(answer.Args, " ") != "one two" {
			t.Error(answer)
		}
	}
	if err := p.Call(t.Context(), "fail", nil); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestAProcessThatDiesSaysWhy(t *testing.T) {
	p := start(t)
	if err := p.Call(t.Context(), "die", nil); err == nil || !strings.Contains(err.Error(), "it dies") {
		t.Error(err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	p := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := p.Call(ctx, "sleep", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestMissingModulesAreNamedWithTheirPackage(t *testing.T) {
	_, err := Find("no_such_module_of_python", "python3-nothing")
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "no_such_module_of_python") || !strings.Contains(err.Error(), "python3-nothing") {
		t.Error(err)
	}
}
