package testserver

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A process is a child process for which a goroutine waits.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed after the process has ended
	err  error         // how it ended; read it after done
}

// startProcess starts the command. It calls tell, unless that is nil, with the process's id, and
// with 0 after its end.
func startProcess(cmd *exec.Cmd, tell func(pid int)) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started, tell)
	return p, <-started
}

// run holds its thread as long as the process lives. For Pdeathsig the kernel watches the thread
// that started the process, and Go ends a thread whose goroutine exits while locked to it, as a
// test may do.
func (p *process) run(started chan<- error, tell func(pid int)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	if tell != nil {
		tell(p.cmd.Process.Pid)
	}
	started <- nil
	p.err = p.cmd.Wait()
	if tell != nil {
		tell(0)
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) wait(timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return p.ended()
	}
}

// signal ignores the error: it can only mean that the process has ended, and the caller waits for
// that anyway.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }
