package loop_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/loop"
)

// A bridge knows that a device will call in, though the loop can't see it: without Hold, Drive
// would return ErrDeadlock at once.
func ExampleBridge() {
	l := loop.New()
	defer l.Close()
	rang := false
	l.Bridge().Hold()
	go l.Post(func() { // the device
		l.Bridge().Release()
		rang = true
	})
	err := l.Drive(func() bool { return rang })
	fmt.Println(rang, err)
	// Output: true <nil>
}
