// Values shows how values travel with switches, in both directions.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed1239206e/repaint/greenlet"
)

func main() {
	if err := exchange(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func exchange(w io.Writer) error {
	root := greenlet.Current()
	foo := greenlet.New(func(arg any) (any, error) {
		fmt.Fprintln(w, "foo:", arg)
		arg, err := root.Switch(1)
		if err != nil {
			return nil, err
		}
		fmt.Fprintln(w, "foo:", arg)
		if _, err := root.Switch("bar"); err != nil {
			return nil, err
		}
		return "done", nil
	}, greenlet.Name("foo"))

	for _, value := range []any{"starting", 2, nil} {
		got, err := foo.Switch(value)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, "main:", got)
	}
	return nil
}
