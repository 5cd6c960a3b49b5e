// Pingpong is the first example of Python's greenlet documentation: two greenlets switch to each
// other, and the first to end passes its value to the greenlet that started them.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed1239206e/repaint/greenlet"
)

func main() {
	v, err := play(os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	if v != "test1 done" {
		log.Fatalf("main got %v", v)
	}
}

// play returns the value that the first greenlet passes to its parent.
func play(w io.Writer) (any, error) {
	var gr1, gr2 *greenlet.Greenlet
	gr1 = greenlet.New(func(any) (any, error) {
		fmt.Fprintln(w, "[gr1] main  -> test1")
		if _, err := gr2.Switch(nil); err != nil {
			return nil, err
		}
		fmt.Fprintln(w, "[gr1] test1 <- test2")
		return "test1 done", nil
	}, greenlet.Name("test1"))
	gr2 = greenlet.New(func(any) (any, error) {
		fmt.Fprintln(w, "[gr2] test1 -> test2")
		if _, err := gr1.Switch(nil); err != nil {
			return nil, err
		}
		fmt.Fprintln(w, "This is never printed.")
		return nil, nil
	}, greenlet.Name("test2"))
	return gr1.Switch(nil)
}
