package pagetest

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

var stills = flag.String("stills", "", "the `directory` for the pictures in the documentation: make stills")

// TestStills makes the pictures that the documentation has of the pages, from real runs.
func TestStills(t *testing.T) {
	if *stills == "" {
		t.Skip("make stills makes them")
	}
	require.NoError(t, os.MkdirAll(*stills, 0o777))
	browser := browse(t)

	w := open(t, browser, schedulePage(t, "withdraw", lostUpdate), look{1060, 930, false})
	w.click("summary", "select balance")
	w.still("schedule.png")

	w = open(t, browser, tracePage(t, orders(t)), look{960, 690, false})
	w.do(chromedp.Focus(chromedp.CSS("#search")), chromedp.KeyEvent("update item"), chromedp.KeyEvent(kb.Enter),
		chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("0"))
	w.painted()
	w.still("timeline.png")
}

// still keeps a picture of the window for the documentation.
func (w *window) still(name string) {
	w.t.Helper()
	picture, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	require.NoError(w.t, err)
	picture = small(w.t, picture)
	require.Less(w.t, len(picture), 120_000, "it is to be small")
	require.NoError(w.t, os.WriteFile(filepath.Join(*stills, name), picture, 0o666))
}

// small encodes a PNG with the 256 colours that it has most of.
func small(t *testing.T, picture []byte) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	count := map[color.Color]int{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			count[img.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	with := image.NewPaletted(img.Bounds(), all[:min(len(all), 256)])
	draw.Draw(with, with.Rect, img, image.Point{}, draw.Src)
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	require.NoError(t, encoder.Encode(&out, with))
	return out.Bytes()
}
