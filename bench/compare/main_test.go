package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTableHasMediansRatiosAndWhatIsMissing(t *testing.T) {
	var f figures
	for _, ns := range []string{"300", "100.0", "200"} {
		notes := read(&f, "", "goos: linux\nBenchmarkLoop/Post/repaint-2  	 100	 "+ns+" ns/op	 0 B/op\nBenchmarkLoop/Post/goroutine 	 100	 50 ns/op\nPASS\n")
		if notes != nil {
			t.Error(notes)
		}
	}
	notes := read(&f, "asyncio", "# python 3, asyncio\nPost 2000.0\nOther 7.126\n")
	var out strings.Builder
	table(&out, &f, notes, []string{"gevent (it isn't here)"}, 3)
	for _, want := range []string{
		"| nanoseconds | repaint | goroutine | asyncio |\n| --- | ---: | ---: | ---: |\n",
		"| Post | 200 | 50.0 (0.25 ×) | 2,000 (10.0 ×) |\n",
		"| Other | – | – | 7.13 |\n",
		"; python 3, asyncio.\n",
		"MISSING: gevent (it isn't here)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	want := "MISSING: gevent\nBenchmarkLoop/Post/repaint 1 300 ns/op\nBenchmarkLoop/Post/repaint 1 100 ns/op\n"
	if raw := string(f.raw([]string{"gevent"})); !strings.HasPrefix(raw, want) || !strings.Contains(raw, "BenchmarkLoop/Other/asyncio 1 7.126 ns/op\n") {
		t.Error(raw)
	}
}

func TestPeersKnowOnlyWorkloadsOfTheBenchmark(t *testing.T) {
	source, err := os.ReadFile("../loop/loop_test.go")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("../peers/*_peer.py")
	if err != nil || len(scripts) != 3 {
		t.Fatal(scripts, err)
	}
	measured := regexp.MustCompile(`measure\("(\w+)"`)
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		names := measured.FindAllStringSubmatch(string(text), -1)
		if len(names) < 6 {
			t.Errorf("%s has only %d workloads", script, len(names))
		}
		for _, m := range names {
			if !strings.Contains(string(source), `{"`+m[1]+`", []contender`) {
				t.Errorf("%s measures %s, which bench/loop doesn't", script, m[1])
			}
		}
	}
}

func TestAPeerWithoutItsModulesIsMissing(t *testing.T) {
	if got := interpreterFor("sys", "no-such-interpreter"); got != "" {
		t.Error(got)
	}
	if got := interpreterFor("no_such_module_of_python", ""); got != "" {
		t.Error(got)
	}
}
