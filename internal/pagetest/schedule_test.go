package pagetest

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// lostUpdate is a schedule in which a withdrawal is lost, and an update waits for the lock of the
// other one.
const lostUpdate = "REPAINT_SCHEDULE=main*2 1*2 2*3 1"

func TestScheduleShowsTasksTransactionsLocksAndResults(t *testing.T) {
	file := schedulePage(t, "withdraw", lostUpdate)
	browser := browse(t)
	for name, l := range map[string]look{"desk": desk, "night": night, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			w := open(t, browser, file, l)
			w.shoot("withdraw-" + name)

			titles := w.boxes(".title.task")
			require.Len(t, titles, 3)
			for i, title := range []string{"main", "task 1", "task 2"} {
				require.Equal(t, title, titles[i].Text)
				require.Greater(t, titles[i].W, 150.0)
			}
			require.Less(t, titles[0].right(), titles[1].right())
			require.Equal(t, "REPAINT_SCHEDULE='main*2 1*2 2*3 1' go test -run '^TestProgram$'", w.boxes("#command")[0].Text)

			// Time goes downwards, and each statement stands in the column of its task.
			cells := w.boxes(".cell")
			require.Greater(t, len(cells), 10)
			for i := 1; i < len(cells); i++ {
				require.GreaterOrEqual(t, cells[i].Y, cells[i-1].bottom()-0.5, cells[i].Text)
			}
			update := cells[w.indexOf(".cell", "waits for a lock of")]
			require.GreaterOrEqual(t, update.X, titles[1].X-1)
			require.LessOrEqual(t, update.right(), titles[1].right()+1)

			bars := w.boxes(".bar.committed")
			require.Len(t, bars, 2)
			for i, bar := range bars {
				require.Greater(t, bar.H, 80.0, "it spans the transaction")
				require.GreaterOrEqual(t, bar.W, 5.0)
				require.True(t, bar.X > titles[i+1].X && bar.right() < titles[i+1].right())
				require.NotEqual(t, "rgba(0, 0, 0, 0)", bar.Colour)
			}
			require.Len(t, w.boxes(".bar.waiting"), 1)

			arrows := w.boxes(".arrow")
			require.Len(t, arrows, 1)
			require.Equal(t, "task 1 waits for a lock of task 2", arrows[0].Title)
			require.InDelta(t, bars[1].X, arrows[0].right(), 6, "it ends at the holder's transaction")
			require.True(t, arrows[0].X > titles[1].X && arrows[0].X < titles[1].right(), "and begins at who waits")
			require.True(t, arrows[0].Y > bars[1].Y && arrows[0].Y < bars[1].bottom(), "while the transaction goes on")
			require.Contains(t, update.Text, "update account")
			require.InDelta(t, update.bottom(), arrows[0].bottom(), 12, "the arrow is the statement's")

			// A result is there after a click, and gone after another.
			require.Empty(t, w.boxes(".result"))
			w.scrollTo("summary", "select balance")
			w.click("summary", "select balance")
			results := w.boxes(".result")
			require.Len(t, results, 1)
			require.Contains(t, results[0].Text, "100")
			require.Contains(t, results[0].Text, "programs_test.go:")
			require.Greater(t, results[0].H, 20.0)
			w.shoot("withdraw-" + name + "-result")
			w.click("summary", "select balance")
			require.Empty(t, w.boxes(".result"))

			w.nothingIsCut()
		})
	}
}

func TestScheduleIsUsableByKeyboard(t *testing.T) {
	w := open(t, browse(t), schedulePage(t, "withdraw", lostUpdate), desk)
	focused := func() string { return eval[string](w, "document.activeElement.innerText") }
	w.do(chromedp.KeyEvent(kb.ArrowDown))
	require.Equal(t, "truncate account", focused())
	w.do(chromedp.KeyEvent(kb.ArrowRight))
	require.Equal(t, "begin", focused(), "the next task's nearest")
	w.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	require.Contains(t, focused(), "select balance")
	require.Contains(t, w.boxes(".result")[0].Text, "100")
	w.do(chromedp.KeyEvent(kb.ArrowLeft))
	require.Contains(t, focused(), "insert into")
	require.NotEmpty(t, w.boxes(":focus-visible"))
	for range 3 { // from the last statement there is no further one
		for range 20 {
			w.do(chromedp.KeyEvent(kb.ArrowDown))
		}
	}
	require.Contains(t, focused(), "select balance")
}

func TestLargeScheduleIsReadable(t *testing.T) {
	file := schedulePage(t, "ten")
	browser := browse(t)
	for name, l := range map[string]look{"desk": desk, "night": night, "phone": phone} {
		t.Run(name, func(t *testing.T) {
			w := open(t, browser, file, l)
			titles := w.boxes(".title.task")
			require.Len(t, titles, 11, "main and ten tasks")
			require.Len(t, w.boxes(".grid summary"), 500)
			w.nothingIsCut()

			// Far down and to the right, the titles and numbers still tell the reader the place.
			eval[bool](w, "scrollTo(document.documentElement.scrollWidth, 3000), true")
			w.shoot("ten-" + name)
			require.Equal(t, 3000.0, eval[float64](w, "scrollY"))
			last := w.boxes(".title.task")[10]
			require.InDelta(t, 0, last.Y, 1)
			require.LessOrEqual(t, last.right(), float64(l.width)+1, "the last column can be scrolled to")
			numbers := w.boxes(".number")
			require.InDelta(t, 0, numbers[len(numbers)/2].X, 1)
			require.InDelta(t, 0, w.boxes("h1")[0].X, 20)
			seen := 0
			for _, s := range w.boxes(".grid summary") {
				if s.Y > 0 && s.bottom() < float64(l.height) {
					seen++
				}
			}
			require.Greater(t, seen, 8, "so many statements have room at a time")

			// The whole of a long text is shown when its place is opened.
			eval[bool](w, "scrollTo(0, 0), true")
			w.click("button", "Show all results")
			require.Zero(t, eval[int](w, `[...document.querySelectorAll("summary code")].filter(e => e.scrollHeight > e.clientHeight + 2).length`))
			require.Len(t, w.boxes(".result"), 500)
		})
	}
}

func TestScheduleOnPaperHasItsResults(t *testing.T) {
	w := open(t, browse(t), schedulePage(t, "withdraw", lostUpdate), desk)
	pdf, err := chromedp.Run(w.ctx, chromedp.PrintToPDF())
	require.NoError(t, err)
	require.Equal(t, "%PDF", string(pdf[:4]))
	w.keep("withdraw.pdf", pdf)
	require.Empty(t, w.boxes(".result"), "they are closed again")
}

func TestScheduleShowsHostileTextAsItIs(t *testing.T) {
	w := open(t, browse(t), schedulePage(t, "hostile"), desk)
	w.shoot("hostile-desk")
	require.Equal(t, "TestProgram: a schedule", eval[string](w, "document.title"))
	require.Zero(t, eval[int](w, `document.querySelectorAll("img, .cell b, .title.task b, h1 b").length`))
	require.Contains(t, w.boxes(".title.task")[1].Text, hostile)
	statement := w.boxes("summary")[0].Text
	require.Contains(t, statement, hostile)
	require.Contains(t, statement, "[</script><img src=x onerror=1>]")
	w.click("summary", "select")
	require.Contains(t, w.boxes(".result output")[0].Text, "</script><img src=x onerror=1>")
	w.nothingIsCut()
}

// indexOf returns which of the displayed elements is the first with a text.
func (w *window) indexOf(selector, text string) int {
	w.t.Helper()
	for i, b := range w.boxes(selector) {
		if strings.Contains(b.Text, text) {
			return i
		}
	}
	require.Fail(w.t, "there is no "+selector+" with "+text)
	return -1
}
