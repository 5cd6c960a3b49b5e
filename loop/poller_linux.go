package loop

import (
	"os"
	"syscall"
)

func newPoller(l *Loop) (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // tells os.NewFile that the runtime can wait for it
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{set: eventSet{fd: fd}}
	if err := p.init(l, os.NewFile(uintptr(fd), "epoll")); err != nil {
		return nil, err
	}
	return p, nil
}

// An eventSet is an epoll instance. It reports only changes ("edge-triggered"), so a wait needs no
// system call of its own.
type eventSet struct {
	fd   int
	room [128]syscall.EpollEvent
}

const (
	readEvents  = syscall.EPOLLIN | endEvents
	endEvents   = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	writeEvents = syscall.EPOLLOUT | syscall.EPOLLHUP | syscall.EPOLLERR
	edge        = 1 << 31 // syscall.EPOLLET is negative
)

func (s *eventSet) add(fd int, id uint64, what Readiness) error {
	return s.control(syscall.EPOLL_CTL_ADD, fd, id, what)
}

// change makes the kernel report something else from now on, and what is so already.
func (s *eventSet) change(fd int, id uint64, what Readiness) error {
	return s.control(syscall.EPOLL_CTL_MOD, fd, id, what)
}

func (s *eventSet) control(op, fd int, id uint64, what Readiness) error {
	e := syscall.EpollEvent{Events: edge, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))}
	if what&Readable != 0 {
		e.Events |= syscall.EPOLLIN | syscall.EPOLLRDHUP
	}
	if what&Writable != 0 {
		e.Events |= syscall.EPOLLOUT
	}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(s.fd, op, fd, &e))
}

func (s *eventSet) remove(fd int) {
	_ = syscall.EpollCtl(s.fd, syscall.EPOLL_CTL_DEL, fd, &syscall.EpollEvent{})
}

// ready appends the kernel's reports, and reports whether there may be more.
func (s *eventSet) ready(fd int, to []event) (all []event, more bool) {
	n, err := syscall.EpollWait(fd, s.room[:], 0)
	for err == syscall.EINTR {
		n, err = syscall.EpollWait(fd, s.room[:], 0)
	}
	if err != nil {
		return to, false
	}
	for _, e := range s.room[:n] {
		found := event{id: uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32}
		if e.Events&readEvents != 0 {
			found.ready |= Readable
		}
		if e.Events&endEvents != 0 {
			found.ready |= Ended
		}
		if e.Events&writeEvents != 0 {
			found.ready |= Writable
		}
		to = append(to, found)
	}
	return to, n == len(s.room)
}
