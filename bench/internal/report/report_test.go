package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

var (
	point = Case{Workload: "point", Callers: 256}
	rate  = Column{"calls/s", func(s measure.Sample) float64 { return s.Rate }}
	p99   = Column{"p99 µs", func(s measure.Sample) float64 { return s.P99 }}
)

func results() *Results {
	r := new(Results)
	for _, x := range []float64{300, 100, 200} {
		r.Add(point, "pool of 4", measure.Sample{Rate: x, P99: 7})
		r.Add(point, "pool of 16", measure.Sample{Rate: 5 * x, P99: 8})
		r.Add(point, "ours", measure.Sample{Rate: 10 * x})
	}
	r.Add(Case{Workload: "other", Callers: 1}, "ours", measure.Sample{Rate: 1})
	return r
}

func TestACaseIsAHeading(t *testing.T) {
	for want, c := range map[string]Case{
		"point, 256 callers": point,
		"sqlite: point, 1 caller, 1ms of round trip added": {Database: "sqlite", Workload: "point", Callers: 1, RoundTrip: time.Millisecond},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

func TestTableHasMediansAndHowManyTimesOursIs(t *testing.T) {
	var out strings.Builder
	results().Table(&out, point, []string{"ours", "absent"}, []Column{p99})
	want := `
### point, 256 callers

| | calls/s | ours ÷ it | p99 µs | spread |
| --- | ---: | ---: | ---: | ---: |
| pool of 4 | 200 | 10.00 | 7.00 | ±50 % |
| pool of 16 | 1,000 | 2.00 | 8.00 | ±50 % |
| ours | 2,000 | 1.00 | – | ±50 % |
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestAGoalIsAboutTheBestOfThePeers(t *testing.T) {
	r := results()
	for _, c := range []struct {
		goal    Goal
		outcome string
		value   float64
	}{
		{r.Ratio("twice", point, "ours", "pool of", rate, 2, false), "met", 2},
		{r.Ratio("more", point, "ours", "pool of", rate, 2.1, false), "**missed**", 2},
		{r.Ratio("no more than twice", point, "ours", "pool of", rate, 2, true), "met", 2},
		{r.Ratio("less", point, "ours", "pool of", rate, 1.9, true), "**missed**", 2},
		{r.Ratio("of one", point, "ours", "pool of 4", rate, 10, false), "met", 10},
		{r.Ratio("nobody", point, "ours", "lake", rate, 1, false), "not measured", 0},
		{r.Ratio("not us", point, "theirs", "pool of", rate, 1, false), "not measured", 0},
		{r.Ratio("no figure", Case{Workload: "other", Callers: 1}, "ours", "ours", p99, 1, false), "not measured", 0},
		{r.Difference("a little more", point, "ours", "pool of", rate, 100, 9), "**missed**", 10},
		{r.Difference("more", point, "ours", "pool of", rate, 100, 10), "met", 10},
	} {
		if c.goal.Outcome() != c.outcome || c.goal.Value != c.value {
			t.Errorf("%+v: %s", c.goal, c.goal.Outcome())
		}
	}
	var out strings.Builder
	Goals(&out, []Goal{r.Ratio("twice", point, "ours", "pool of", rate, 2, false), {Text: "else", Limit: 4, Most: true}})
	for _, want := range []string{
		"| twice: ours | ≥ 2 | 2.00 | met | calls/s 2,000 ÷ 1,000 of pool of 16 |\n",
		"| else | ≤ 4 | – | not measured | |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestAGoalIsTheMedianOfTheRounds(t *testing.T) {
	r := new(Results)
	for i, slowness := range []float64{1, 5, 20} { // of the machine
		r.Add(point, "peer", measure.Sample{Rate: 100 * slowness})
		r.Add(point, "ours", measure.Sample{Rate: (200 + float64(i)) * slowness})
	}
	if g := r.Ratio("", point, "ours", "peer", rate, 2, false); g.Value != 2.01 || g.Low != 2 || g.High != 2.02 {
		t.Error(g)
	}
	r.Add(point, "ours", measure.Sample{Rate: 1})
	if g := r.Ratio("", point, "ours", "peer", rate, 2, false); g.Known {
		t.Error("rounds are missing", g)
	}
}

func TestJSONHasEverySample(t *testing.T) {
	r, name := results(), filepath.Join(t.TempDir(), "out.json")
	r.Syncs = []Count{{"ours", "/db", 1}}
	if err := r.WriteFile(name, []string{"a server"}, nil, []Goal{{Text: "unknown"}, r.Ratio("twice", point, "ours", "pool of", rate, 2, false)}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Cores   int
		Records []struct {
			Workload, Contestant string
			Callers              int
			Samples              []measure.Sample
			Median               measure.Sample
			Spread               float64
		}
		Goals []struct {
			Value *float64
			Met   bool
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Records) != 4 || d.Cores < 1 || len(d.Goals) != 2 {
		t.Fatalf("%s", text)
	}
	x := d.Records[1]
	if x.Workload != "point" || x.Contestant != "pool of 16" || x.Callers != 256 || len(x.Samples) != 3 || x.Median.Rate != 1000 || x.Spread != 0.5 {
		t.Errorf("%+v", x)
	}
	compact, err := mustParse(t, text).Compact()
	if err != nil {
		t.Fatal(err)
	}
	back := mustParse(t, compact)
	if got := strings.Count(string(compact), "\n"); got != 14 {
		t.Errorf("%d lines: %s", got, compact)
	}
	if again, err := back.Compact(); err != nil || string(again) != string(compact) {
		t.Errorf("%v: %s", err, again)
	}
	if got := back.Results().Best(point, "pool of"); got.Contestant != "pool of 16" || got.Median().Rate != 1000 || got.Spread() != 0.5 {
		t.Errorf("%+v", got)
	}
	if goals := back.Outcomes(); goals[0].Known || goals[1].Outcome() != "met" || goals[1].Figure() != "2.00" || goals[1].Bound() != "≥ 2" {
		t.Errorf("%+v", goals)
	}
	if back.Cores != d.Cores || back.Servers[0] != "a server" || len(back.Results().Syncs) != 1 {
		t.Errorf("%s", compact)
	}
	if d.Goals[0].Value != nil || d.Goals[0].Met || *d.Goals[1].Value != 2 || !d.Goals[1].Met {
		t.Errorf("%s", text)
	}
}

func mustParse(t *testing.T, text []byte) *Document {
	t.Helper()
	d, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	if _, err := Parse([]byte("[]")); err == nil || !strings.Contains(err.Error(), "reading what was measured") {
		t.Error(err)
	}
}

func TestSamplesAreRoundedToFourDigits(t *testing.T) {
	got := measure.Sample{Rate: 123456, P99: 1.23456, CPU: 0.000123456}.Rounded()
	if want := (measure.Sample{Rate: 123500, P99: 1.235, CPU: 0.0001235}); got != want {
		t.Errorf("%+v", got)
	}
}
