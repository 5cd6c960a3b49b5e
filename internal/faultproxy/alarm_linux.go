package faultproxy

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An alarm sleeps precisely. An idle Go process waits for its timers with epoll_wait, which counts
// in milliseconds. So 100 µs become 1.1 ms, and a benchmark over a "0.5 ms network" measures
// something else. A timerfd is precise, and waiting for it occupies no thread.
type alarm struct {
	file *os.File // nil: not used yet
	raw  syscall.RawConn
}

func (a *alarm) sleep(d time.Duration) {
	if err := a.try(d); err != nil {
		time.Sleep(d) // late rather than never
	}
}

func (a *alarm) try(d time.Duration) error {
	if a.file == nil {
		if err := a.open(); err != nil {
			return err
		}
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	var err error
	if ctl := a.raw.Control(func(fd uintptr) { err = unix.TimerfdSettime(int(fd), 0, &spec, nil) }); ctl != nil {
		return ctl
	}
	if err != nil {
		return err
	}
	var expirations [8]byte
	_, err = a.file.Read(expirations[:])
	return err
}

func (a *alarm) open() error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return err
	}
	a.file, a.raw = file, raw
	return nil
}

func (a *alarm) close() {
	if a.file != nil {
		_ = a.file.Close()
	}
}
