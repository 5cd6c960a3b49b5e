package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/plan"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// Each service gives the right responses, even to many requests at once.
func TestResponses(t *testing.T) {
	at := database(t)
	for _, s := range services {
		t.Run(s.name, func(t *testing.T) {
			running, err := s.start(t.Context(), at.URL(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := running.stop(); err != nil {
					t.Error(err)
				}
			}()
			c := newClient()
			defer c.leave()
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for route, right := range map[string]func(body []byte) error{
						"/db":                           func(b []byte) error { var w World; return right(b, &w, func() bool { return valid(w) }) },
						"/queries?n=20":                 worldsOf(20),
						"/queries":                      worldsOf(1),
						"/queries?n=many":               worldsOf(1),
						"/queries?n=0":                  worldsOf(1),
						"/queries?n=501":                worldsOf(500),
						"/updates?n=5":                  worldsOf(5),
						"/fortunes":                     fortunesOf,
						"/async-db":                     itemsOf(10, 50, 50),
						"/async-db?min=1&max=2&limit=3": itemsOf(1, 2, 3),
						"/async-db?min=9999&max=9999":   itemsOf(9999, 9999, 0),
					} {
						body, err := c.get(t.Context(), "http://"+running.addr+route)
						if err == nil {
							err = right(body)
						}
						if err != nil {
							t.Errorf("%s: %v", route, err)
						}
					}
				})
			}
			wg.Wait()
			if _, err := c.get(t.Context(), "http://"+running.addr+"/nowhere"); err == nil || !strings.Contains(err.Error(), "404") {
				t.Errorf("a route that there isn't: %v", err)
			}
			if n := running.connections(); n < 1 || n > connections {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// A connection that the load has opened and doesn't use would hold up the end of a service.
func TestTheLoadLeavesNoConnection(t *testing.T) {
	var open atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.Start()
	defer server.Close()
	if err := warm(t.Context(), server.URL, 16); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d connections are open", open.Load())
		}
	}
}

func right(body []byte, into any, ok func() bool) error {
	if err := json.Unmarshal(body, into); err != nil {
		return err
	}
	if !ok() {
		return fmt.Errorf("wrong: %s", body)
	}
	return nil
}

func valid(w World) bool {
	return w.ID >= 1 && w.ID <= worlds && w.RandomNumber >= 1 && w.RandomNumber <= worlds
}

func worldsOf(n int) func(body []byte) error {
	return func(body []byte) error {
		var all []World
		return right(body, &all, func() bool {
			ids := make(map[int]bool)
			for _, w := range all {
				if !valid(w) {
					return false
				}
				ids[w.ID] = true
			}
			return len(all) == n && len(ids) == n
		})
	}
}

func fortunesOf(body []byte) error {
	page := string(body)
	for _, want := range []string{
		"<!DOCTYPE html>", "<td>0</td><td>Additional fortune added at request time.</td>", "<td>12</td><td>Fortune 12</td>",
		"Fortune 11: &lt;script&gt;alert(&#34;this is not to run&#34;)&lt;/script&gt;",
	} {
		if !strings.Contains(page, want) {
			return fmt.Errorf("%q isn't in %s", want, page)
		}
	}
	if strings.Index(page, "Additional") > strings.Index(page, "Fortune 1<") || strings.Count(page, "<tr>") != 14 {
		return fmt.Errorf("wrong rows, or in a wrong order: %s", page)
	}
	return nil
}

func itemsOf(least, most, n int) func(body []byte) error {
	return func(body []byte) error {
		var found struct {
			Items []Item
			Count int
		}
		return right(body, &found, func() bool {
			for _, i := range found.Items {
				if i.Price < least || i.Price > most || i.Name != fmt.Sprint("Item ", i.ID) || i.Rating.Score != i.ID%50 || string(i.Tags) == "" {
					return false
				}
			}
			return len(found.Items) == n && found.Count == n
		})
	}
}

// Each query has a Sync of its own, except those that a Loader reads together.
func TestSyncsOnTheWire(t *testing.T) {
	at := database(t)
	routes := []string{"/db", "/queries?n=7", "/updates?n=5", "/fortunes", "/async-db"}
	for _, s := range services {
		counts, err := s.syncs(t.Context(), at, routes)
		if err != nil {
			t.Fatal(err)
		}
		want := []float64{1, 7, 10, 1, 1}
		if s.name == onLoader {
			want = []float64{1, 1, 6, 1, 1}
		}
		if fmt.Sprint(counts) != fmt.Sprint(want) {
			t.Errorf("%s: %v Syncs for a request, not %v", s.name, counts, want)
		}
	}
}

func TestEachClientHasTwoRequestsAnswered(t *testing.T) {
	for _, c := range []struct{ requests, clients, seconds, want int }{
		{32, 16, 1, 1}, {31, 16, 1, 2}, {256, 256, 1, 2}, {100, 256, 1, 4}, {0, 512, 1, 20}, {0, 512, 20, 20}, {5, 512, 20, 20}, {1, 512, 4, 4}, {300, 256, 2, 4},
	} {
		if got := enough(c.requests, c.clients, c.seconds); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestWrksOutputIsRead(t *testing.T) {
	const text = `Running 1s test @ http://127.0.0.1:1/db
  Latency Distribution
     50%  812.00us
     75%    1.02ms
     99%    2.50ms
  18543 requests in 1.10s, 2.57MB read
Requests/sec:  16857.27
`
	s, requests, err := read(text)
	if err != nil || s.Rate != 16857.27 || s.P50 != 812 || s.P99 != 2500 || requests != 18543 {
		t.Errorf("%+v, %d, %v", s, requests, err)
	}
	for _, bad := range []string{"", text + "  Non-2xx or 3xx responses: 3\n", text + "  Socket errors: connect 0, read 1, write 0, timeout 0\n"} {
		if _, _, err := read(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

// The whole runs, for a second with each service.
func TestEverythingRuns(t *testing.T) {
	if _, err := findWrk(); err != nil {
		if os.Getenv("REPAINT_REQUIRE_LOAD") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var out strings.Builder
	p := plan.Plan{Rounds: 1, Length: time.Second, Only: regexp.MustCompile("^/db"), With: regexp.MustCompile("net/http, (pg$|pgxpool)")}
	if err := (comparison{p, []int{16}, []time.Duration{time.Millisecond}}).run(t.Context(), t, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### Syncs", "### /db, 16 callers, 1ms of round trip added", "| net/http, pg | "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q isn't in %s", want, out.String())
		}
	}
}
