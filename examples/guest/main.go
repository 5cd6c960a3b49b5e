// Guest shows tasks on a foreign event loop, such as a user interface's. A callback can't wait, so
// a dialogue usually becomes one callback for each answer. Here it is one function from top to
// bottom, and the user interface stays responsive.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run is a session in which a user clicks here and there.
func run(ctx context.Context, w io.Writer) error {
	u := &userInterface{events: make(chan func(), 16), w: w}
	guest, err := repaint.Attach(ctx, u)
	if err != nil {
		return err
	}
	u.onClick("delete", func() {
		repaint.Spawn(guest.Context(), func(ctx context.Context) (bool, error) { return remove(ctx, u) })
	})
	detach := func() {
		guest.Detach(func(detached error) {
			err = detached
			u.quit = true
		})
	}
	u.user = []func(){u.click("delete"), u.paint, u.click("yes"), u.paint, u.click("no"), u.paint, detach}
	u.run()
	return err
}

// remove is a dialogue in blue code: it reads as if each question blocked.
func remove(ctx context.Context, u *userInterface) (bool, error) {
	for _, question := range []string{"delete the table?", "and its backups?"} {
		answer, err := repaint.Await(ctx, u.ask(question))
		if err != nil {
			return false, err
		}
		fmt.Fprintf(u.w, "  the answer is %s\n", answer)
		if answer != "yes" {
			fmt.Fprintln(u.w, "  better not")
			return false, nil
		}
	}
	fmt.Fprintln(u.w, "  deleted")
	return true, nil
}

// A userInterface is an event loop that knows nothing about repaint, except that its method Post
// implements repaint.Host.
type userInterface struct {
	events  chan func()
	user    []func() // the user's actions, each done when the loop is idle
	w       io.Writer
	buttons map[string]func()
	quit    bool
	frame   int
}

// Post implements repaint.Host.
func (u *userInterface) Post(fn func()) { u.events <- fn }

func (u *userInterface) run() {
	for !u.quit {
		select {
		case fn := <-u.events:
			fn()
		default:
			if len(u.user) > 0 {
				next := u.user[0]
				u.user = u.user[1:]
				next()
			}
		}
	}
}

func (u *userInterface) paint() {
	u.frame++
	fmt.Fprintf(u.w, "frame %d\n", u.frame)
}

func (u *userInterface) onClick(button string, fn func()) {
	if u.buttons == nil {
		u.buttons = make(map[string]func())
	}
	u.buttons[button] = fn
}

func (u *userInterface) click(button string) func() {
	return func() {
		fmt.Fprintf(u.w, "click: %s\n", button)
		u.buttons[button]()
	}
}

// ask is red: it shows a question and returns a future for the answer.
func (u *userInterface) ask(question string) *loop.Future[string] {
	fmt.Fprintf(u.w, "  %s\n", question)
	answer := loop.NewPromise[string](nil)
	for _, button := range []string{"yes", "no"} {
		u.onClick(button, func() { answer.Resolve(button) })
	}
	return answer.Future()
}
