// Package terminal lets the commands write to a terminal, a pipe or a file: in a width, with or
// without emphasis, and with a progress bar.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	Wide   = 76 // columns that the commands use at most
	Narrow = 40 // columns that they need
)

// Width returns how many columns there are, from Narrow to Wide. For anything but a terminal these
// are COLUMNS of the environment, or Wide.
func Width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return max(Narrow, min(n, Wide))
		}
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return max(Narrow, min(n, Wide))
	}
	return Wide
}

// Bold returns the text so that w shows it in bold, where w is a terminal and NO_COLOR isn't set.
func Bold(w io.Writer, text string) string {
	if IsTerminal(w) && os.Getenv("NO_COLOR") == "" {
		return "\x1b[1m" + text + "\x1b[0m"
	}
	return text
}

// Wrap breaks a text into lines, between words where it can.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Fit cuts a text that is too long for its line.
func Fit(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// Counted returns "1 request", "2 requests".
func Counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprint(n, " ", what)
}

// A Bar shows progress on a terminal. A nil Bar shows nothing.
type Bar struct{ *progressbar.ProgressBar }

// NewBar returns a bar if both outputs are terminals.
func NewBar(out, errOut io.Writer, name string, steps int) *Bar {
	if !IsTerminal(out) || !IsTerminal(errOut) {
		return nil
	}
	roomy := Width(out) >= 50 // else the times would wrap the line
	return &Bar{progressbar.NewOptions(steps,
		progressbar.OptionSetElapsedTime(roomy),
		progressbar.OptionSetPredictTime(roomy),
		progressbar.OptionSetWriter(errOut),
		progressbar.OptionSetDescription(fmt.Sprintf("%-10s", name)),
		progressbar.OptionSetWidth(10),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// The bar fails only if writing to the terminal does, so there is nowhere to report its errors.

// Add shows one step more.
func (b *Bar) Add() {
	if b != nil {
		_ = b.ProgressBar.Add(1)
	}
}

// Finish removes the bar. Add shows it again.
func (b *Bar) Finish() {
	if b != nil {
		_ = b.Clear()
	}
}
