package pagetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/trace"
)

// tracePage writes the page of what a program does, and returns the file.
func tracePage(t *testing.T, program func(ctx context.Context) error, opts ...trace.Option) string {
	t.Helper()
	chromium(t) // or else it would be for nothing
	tr := trace.Start(opts...)
	err := program(t.Context())
	tr.Stop()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "trace.html")
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, tr.WriteHTML(f))
	require.NoError(t, f.Sync())
	info, err := f.Stat()
	require.NoError(t, err)
	t.Logf("%d events, %d dropped, %d kB", tr.Events(), tr.Dropped(), info.Size()/1000)
	return file
}

// orders has tasks that place orders on PostgreSQL: they look up a product together, and write one
// after the other.
func orders(t *testing.T) func(ctx context.Context) error {
	pool, err := pg.Open(testserver.Postgres(t).Database(t).URL())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close(context.Background())) })
	_, err = pool.Exec(t.Context(), "create table item (id int primary key, stock int not null)")
	require.NoError(t, err)
	_, err = pool.Exec(t.Context(), "insert into item select n, 100 from generate_series(1, 20) n")
	require.NoError(t, err)
	return func(ctx context.Context) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			lock := new(coop.Mutex)
			var all []*repaint.Task[int]
			for i := range 8 {
				all = append(all, repaint.Spawn(ctx, func(ctx context.Context) (n int, err error) {
					if err = pool.QueryRow(ctx, "select stock from item where id = $1", i+1).Scan(&n); err != nil {
						return 0, err
					}
					if err = lock.Lock(ctx); err != nil {
						return 0, err
					}
					defer lock.Unlock()
					_, err = pool.Exec(ctx, "update item set stock = stock - 1 where id = $1", i+1)
					return n, err
				}, repaint.Named(fmt.Sprintf("order %d", i+1))))
			}
			for _, task := range all {
				if _, err := repaint.Await(ctx, task); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// box returns where a span of a track is, by the track's name and the span's text.
func (w *window) span(track, text string) box {
	w.t.Helper()
	return eval[box](w, fmt.Sprintf(`(() => {
		const data = JSON.parse(document.getElementById("data").textContent);
		const t = timeline.tracks.find(t => t.name.startsWith(%q));
		for (let i = 0; i < t.n; i++) if (data.strings[t.text[i]].startsWith(%q)) return timeline.box(t.index, i);
		throw new Error("there is no such span: " + t.name);
	})()`, track, text))
}

// pixel returns the colour of the canvas at a place of the window, as rgb(…).
func (w *window) pixel(x, y float64) string {
	w.t.Helper()
	return eval[string](w, fmt.Sprintf(`(() => { const c = document.getElementById("canvas"), b = c.getBoundingClientRect();
		const copy = document.createElement("canvas"); copy.width = c.width; copy.height = c.height;
		const pen = copy.getContext("2d", {willReadFrequently: true}); pen.drawImage(c, 0, 0);
		const p = pen.getImageData(%f - b.left, %f - b.top, 1, 1).data; return "rgb(" + [...p].slice(0, 3).join(", ") + ")"; })()`, x, y))
}

// colour returns the value of a property of the page's colours, as rgb(…).
func (w *window) colour(name string) string {
	w.t.Helper()
	return eval[string](w, fmt.Sprintf(`(() => { const e = document.body.appendChild(document.createElement("i")); e.style.color = "var(--%s)";
		const c = getComputedStyle(e).color; e.remove(); return c; })()`, name))
}

// painted waits until the canvas is up to date.
func (w *window) painted() {
	w.t.Helper()
	_, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise))
	require.NoError(w.t, err)
}

func TestTimelineShowsTasksWaitsAndStatements(t *testing.T) {
	file := tracePage(t, orders(t))
	browser := browse(t)
	for name, l := range map[string]look{"desk": desk, "night": night, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			w := open(t, browser, file, l)
			w.painted()
			w.shoot("trace-" + name)
			names := eval[[]string](w, "timeline.tracks.map(t => t.name)")
			require.Contains(t, names, "ticks")
			require.Contains(t, names, "main function")
			require.Contains(t, names, "task 8 (order 8)")
			require.Equal(t, 0.0, eval[float64](w, "document.documentElement.scrollWidth - innerWidth"), "the page itself doesn't scroll")
			w.nothingIsCut()

			wait := w.span("task 1 (order 1)", "the answer to select stock")
			require.Greater(t, wait.W, 3.0)
			require.NotEqual(t, w.colour("paper"), w.pixel(wait.X+wait.W/2, wait.Y+wait.H/2))
			tick := w.span("ticks", "")
			require.NotEqual(t, w.colour("paper"), w.pixel(tick.X+tick.W/2, tick.Y+tick.H/2))

			// A click on a bar tells what it is.
			w.do(chromedp.MouseClickXY(wait.X+wait.W/2, wait.Y+wait.H/2))
			told := w.boxes("#details")[0].Text
			require.Contains(t, told, "task 1 (order 1): waits for")
			require.Contains(t, told, "the answer to select stock from item where id = $1")
			require.Regexp(t, `\d (µs|ms|s), from`, told)
			moments := regexp.MustCompile(`from (.*) to (.*)`).FindStringSubmatch(told)
			require.NotEqual(t, moments[1], moments[2], "there are enough digits")

			// What is found is shown.
			w.do(chromedp.Focus(chromedp.CSS("#search")), chromedp.KeyEvent("update item"))
			require.Regexp(t, `^\d+$`, w.boxes("#found")[0].Text)
			w.do(chromedp.KeyEvent(kb.Enter))
			w.painted()
			require.Regexp(t, `^1 of \d+$`, w.boxes("#found")[0].Text)
			require.Contains(t, w.boxes("#details")[0].Text, "update item set stock = stock - 1")
			w.shoot("trace-" + name + "-found")
			// Keys zoom and pan.
			w.do(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("0"))
			w.painted()
			whole := eval[float64](w, "view.dataset.to - view.dataset.from")
			w.do(chromedp.KeyEvent("+"), chromedp.KeyEvent("+"))
			w.painted()
			require.InDelta(t, 0.36, eval[float64](w, "view.dataset.to - view.dataset.from")/whole, 0.01)
			before := eval[float64](w, "+view.dataset.from")
			w.do(chromedp.KeyEvent(kb.ArrowRight))
			w.painted()
			require.Greater(t, eval[float64](w, "+view.dataset.from"), before)
			w.shoot("trace-" + name + "-zoomed")
		})
	}
}

func TestLargeTimelineIsQuick(t *testing.T) {
	file := tracePage(t, func(ctx context.Context) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			g := repaint.NewGroup(ctx)
			for i := range 1000 {
				g.Go(func(ctx context.Context) error {
					for n := range 13 {
						if err := repaint.Sleep(ctx, time.Duration(i%7+n)*10*time.Microsecond); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return g.Wait()
		})
	}, trace.Limit(50_000))
	browser := browse(t)
	for name, l := range map[string]look{"desk": desk, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			w := open(t, browser, file, l)
			w.painted()
			t.Logf("loaded in %v", time.Since(began).Round(time.Millisecond))
			require.Less(t, time.Since(began), 30*time.Second, "2 s on a machine that has nothing else to do")
			w.shoot("trace-large-" + name)
			require.GreaterOrEqual(t, eval[int](w, "timeline.tracks.length"), 1000)
			require.Equal(t, 0.0, eval[float64](w, "document.documentElement.scrollWidth - innerWidth"), "the page itself doesn't scroll")
			w.nothingIsCut()
			// The oldest events were dropped. Their time isn't shown.
			earliest := eval[float64](w, "Math.min(...timeline.tracks.filter(t => t.n > 0).map(t => t.from[0]))")
			require.Greater(t, earliest, 0.0)
			require.InEpsilon(t, earliest, eval[float64](w, "+view.dataset.from"), 0.05)

			// However much there is, a frame draws only what can be seen.
			rows := float64(l.height)/18 + 2
			for range 20 {
				eval[bool](w, `view.scrollTop += 400, document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"})), true`)
				w.painted()
				require.Less(t, eval[float64](w, "+view.dataset.drawn"), 2*float64(l.width)*rows)
			}
			t.Logf("a frame takes %s ms", eval[string](w, "view.dataset.took"))
			require.Less(t, eval[float64](w, "+view.dataset.took"), 1000.0)
			require.Greater(t, eval[float64](w, "view.scrollTop"), 5000.0)
			w.do(chromedp.KeyEvent("+"), chromedp.KeyEvent("+"), chromedp.KeyEvent("+"))
			w.painted()
			w.shoot("trace-large-" + name + "-zoomed")
			w.do(chromedp.Focus(chromedp.CSS("#search")), chromedp.KeyEvent("task 777"), chromedp.KeyEvent(kb.Enter))
			w.painted()
			told := w.boxes("#details")[0].Text
			require.Contains(t, told, "task 777")
			moments := regexp.MustCompile(`from (.*) to (.*)`).FindStringSubmatch(told)
			require.NotEqual(t, moments[1], moments[2], "there are enough digits for a turn of a microsecond")
			w.shoot("trace-large-" + name + "-found")
			w.do(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("0"))
			w.painted()
			require.InEpsilon(t, earliest, eval[float64](w, "+view.dataset.from"), 0.05)
		})
	}
}

func TestTimelineShowsHostileTextAsItIs(t *testing.T) {
	engine := lite(t)
	w := open(t, browse(t), tracePage(t, func(ctx context.Context) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			p := loop.NewPromise[int](nil)
			p.Future().SetName(hostile)
			task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, p.Future()) }, repaint.Named(hostile))
			_, err := db.Scalar[int](ctx, engine, "select 1 /* "+hostile+" */")
			p.Resolve(1)
			_, other := repaint.Await(ctx, task)
			if err == nil {
				err = other
			}
			return err
		})
	}), desk)
	w.painted()
	wait := w.span("task 1 (", hostile)
	w.do(chromedp.MouseClickXY(wait.X+wait.W/2, wait.Y+wait.H/2))
	require.Contains(t, w.boxes("#details pre")[0].Text, hostile)
	require.Contains(t, w.boxes("#details .title")[0].Text, hostile)
	require.Zero(t, eval[int](w, `document.querySelectorAll("img, #details b").length`))
	require.Regexp(t, "^Timeline of ", eval[string](w, "document.title"))
	w.shoot("trace-hostile")
}
