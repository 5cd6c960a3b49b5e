package pagetest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// requireVariable makes a missing browser a failure.
const requireVariable = "REPAINT_REQUIRE_BROWSER"

var shots = flag.String("shots", "", "the `directory` for pictures of the pages")

// patience is how long the browser may take for all that a test does.
const patience = 2 * time.Minute

// chromium returns the path of the browser, and skips the test if there is none.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	text := "there is no Chromium in PATH, so the pages weren't opened: scripts/install-servers.sh browser"
	if os.Getenv(requireVariable) == "1" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

// A window is a browser's, with a page in it.
type window struct {
	t        *testing.T
	ctx      context.Context
	mu       sync.Mutex
	messages []string // of the console, and exceptions
}

// A look is how a page is looked at.
type look struct {
	width, height int64
	dark          bool
}

var (
	desk  = look{1280, 800, false}
	night = look{1280, 800, true}
	phone = look{390, 800, false}
)

// browse starts a browser, which ends with the test.
func browse(t *testing.T) (browser context.Context) {
	t.Helper()
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-dev-shm-usage", true))
	if os.Getuid() == 0 {
		flags = append(flags, chromedp.NoSandbox) // root has to do without
	}
	limited, stop := context.WithTimeout(context.Background(), patience)
	t.Cleanup(stop)
	browser, end := chromedp.NewExecAllocator(limited, flags...)
	t.Cleanup(end)
	browser, leave := chromedp.NewContext(browser)
	t.Cleanup(leave)
	require.NoError(t, chromedp.Do(browser), "the browser doesn't start")
	return browser
}

// open opens a page in a window of the browser. At the test's end it fails if the page has
// complained in the console.
func open(t *testing.T, browser context.Context, file string, l look) *window {
	t.Helper()
	ctx, leave := chromedp.NewContext(browser)
	t.Cleanup(leave)
	w := &window{t: t, ctx: ctx}
	w.hear()
	w.look(l)
	w.do(chromedp.Navigate("file://" + file))
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.messages) > 0 {
			t.Errorf("the page complained:\n%s", strings.Join(w.messages, "\n"))
		}
	})
	return w
}

// hear keeps what the page says in the console.
func (w *window) hear() {
	said := chromedp.Console(w.ctx)
	go func() {
		for m, err := range said {
			if err != nil {
				return // the browser ends
			}
			w.mu.Lock()
			w.messages = append(w.messages, fmt.Sprintf("%s: %s", m.Type, m.Text))
			w.mu.Unlock()
		}
	}()
}

func (w *window) do(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	require.NoError(w.t, chromedp.Do(w.ctx, actions...))
}

// look changes how the page is looked at.
func (w *window) look(l look) {
	w.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	_, err := chromedp.Run(w.ctx, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride,
			emulation.SetDeviceMetricsOverrideParams{Width: l.width, Height: l.height, DeviceScaleFactor: 1})
		if err != nil {
			return chromedp.Void{}, err
		}
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	})
	require.NoError(w.t, err)
}

// eval returns the value of an expression of JavaScript in the page.
func eval[T any](w *window, js string) T {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](js))
	require.NoError(w.t, err, js)
	return v
}

// A box is where an element is in the window, and what can be read there.
type box struct {
	X, Y, W, H float64
	Text       string
	Title      string
	Colour     string // of its background
}

func (b box) right() float64  { return b.X + b.W }
func (b box) bottom() float64 { return b.Y + b.H }

// boxes returns the boxes of the elements that are displayed, with the size that can be seen.
func (w *window) boxes(selector string) []box {
	w.t.Helper()
	return eval[[]box](w, fmt.Sprintf(`[...document.querySelectorAll(%q)].filter(e => e.checkVisibility({opacityProperty: true, visibilityProperty: true}))
		.map(e => { const r = e.getBoundingClientRect(); return {X: r.x, Y: r.y, W: r.width, H: r.height, Text: e.innerText, Title: e.title ?? "",
			Colour: getComputedStyle(e).backgroundColor} })`, selector))
}

// shoot keeps a picture of the window, if the flag asks for pictures.
func (w *window) shoot(name string) {
	w.t.Helper()
	picture, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	require.NoError(w.t, err)
	w.keep(name+".png", picture)
}

// keep keeps a file, if the flag asks for pictures.
func (w *window) keep(name string, content []byte) {
	w.t.Helper()
	if *shots != "" {
		require.NoError(w.t, os.MkdirAll(*shots, 0o777))
		require.NoError(w.t, os.WriteFile(filepath.Join(*shots, name), content, 0o666))
	}
}

// scrollTo scrolls until the first displayed element with a text is in the middle of the window.
func (w *window) scrollTo(selector, text string) {
	w.t.Helper()
	eval[bool](w, fmt.Sprintf(`(() => { const e = [...document.querySelectorAll(%q)].find(e => e.innerText.includes(%q));
		e.scrollIntoView({block: "center", inline: "center"}); return true; })()`, selector, text))
}

// click presses the mouse on the beginning of the first displayed element with a text.
func (w *window) click(selector, text string) {
	w.t.Helper()
	b := w.boxes(selector)[w.indexOf(selector, text)]
	w.do(chromedp.MouseClickXY(b.X+8, b.Y+8))
}

// nothingIsCut checks that no text is cut off by its element, and that no text runs into another
// column.
func (w *window) nothingIsCut() {
	w.t.Helper()
	require.Empty(w.t, eval[[]string](w, `[...document.querySelectorAll("h1, header p, #command, button, .title, .number, .cell, summary, .result, .legend span")]
		.filter(e => e.checkVisibility() && (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" || e.scrollHeight > e.clientHeight + 2 && e.clientHeight > 0))
		.map(e => e.className + ": " + e.innerText.slice(0, 80))`))
}
