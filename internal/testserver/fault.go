package testserver

import (
	"fmt"
	"syscall"
)

// Crash kills the server and all its processes with SIGKILL, like a machine that fails: the server
// sends its clients no last message. Start starts it again, with everything that was committed.
func (s *Server) Crash() error {
	return s.private("Crash", func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.proc == nil {
			return nil
		}
		s.signalAll(syscall.SIGKILL)
		if !s.proc.wait(stopTimeout) {
			return s.failed(fmt.Errorf("it didn't end within %v of SIGKILL", stopTimeout))
		}
		s.proc, s.suspended = nil, false
		s.flavor.crashed(s)
		return nil
	})
}

// Suspend stops the server and all its processes with SIGSTOP: connections stay, and nothing is
// answered. Resume makes it go on.
func (s *Server) Suspend() error {
	return s.private("Suspend", func() error { return s.halt(true) })
}

// Resume undoes Suspend.
func (s *Server) Resume() error {
	return s.private("Resume", func() error { return s.halt(false) })
}

func (s *Server) halt(stop bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.alive() {
		return fmt.Errorf("testserver: signalling %s: it isn't running", s.flavor.label())
	}
	sig := sigContinue
	if stop {
		sig = sigStop
	}
	s.signalAll(sig)
	s.suspended = stop
	return nil
}

// signalAll signals the server's first process, which then starts no others, and those that it has
// started. The caller holds the mutex.
func (s *Server) signalAll(sig syscall.Signal) {
	pid := s.proc.cmd.Process.Pid
	if sig == syscall.SIGKILL { // otherwise it could restart after the loss of a child
		s.proc.signal(sigStop)
	} else {
		s.proc.signal(sig)
	}
	for _, child := range childrenOf(pid) {
		signalProcess(child, sig)
	}
	if sig == syscall.SIGKILL {
		s.proc.signal(sig)
	}
}
