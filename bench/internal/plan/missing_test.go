package plan

import (
	"fmt"
	"strings"
	"testing"
)

type ending struct {
	testing.TB
	how string
}

func (e *ending) Helper()                   {}
func (e *ending) Skipf(f string, a ...any)  { e.how = "skip: " + fmt.Sprintf(f, a...) }
func (e *ending) Fatalf(f string, a ...any) { e.how = "fail: " + fmt.Sprintf(f, a...) }

func TestMissingPeersSkipAndFailWhereTheyAreRequired(t *testing.T) {
	for env, want := range map[string]string{"": "skip: ", "0": "skip: ", "1": "fail: "} {
		t.Setenv(RequireEnv, env)
		var e ending
		if Present(&e, nil); e.how != "" {
			t.Error(e.how)
		}
		Present(&e, []string{"this peer", "that one"})
		if !strings.HasPrefix(e.how, want) || !strings.HasSuffix(e.how, "this peer; that one") {
			t.Errorf("%q: %q", env, e.how)
		}
	}
}
