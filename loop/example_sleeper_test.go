package loop_test

import (
	"fmt"
	"net"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A mailbox is a Sleeper: while the loop has nothing else to do it waits for a message itself.
type mailbox struct {
	loop *loop.Loop
	conn net.Conn
	got  func(message string)
}

func (m *mailbox) Sleep(d time.Duration) {
	_ = m.conn.SetReadDeadline(time.Now().Add(min(d, time.Hour)))
	buf := make([]byte, 64)
	if n, err := m.conn.Read(buf); err == nil {
		m.loop.CallSoon(func() { m.got(string(buf[:n])) })
	}
}

func (m *mailbox) Interrupt() { _ = m.conn.SetReadDeadline(time.Unix(1, 0)) }

func (m *mailbox) Rise() {} // the loop has other things to do, and we're asked again

func ExampleSleeper() {
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		_, _ = there.Write([]byte("hello"))
		_ = there.Close()
	}()
	l := loop.New()
	defer l.Close()
	done := false
	m := &mailbox{l, here, func(message string) {
		fmt.Println(message)
		done = true
	}}
	l.Bridge().Hold()
	l.OnTickEnd(func() { l.Bridge().SleepIn(m) })
	_ = l.Drive(func() bool { return done })
	// Output: hello
}
