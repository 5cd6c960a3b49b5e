package testserver

import (
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is a child process that somebody waits for.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed after the process has ended
	err  error         // how; to be read after done
}

// startProcess starts the command. tell, if given, hears the process's id, and 0 after its end.
func startProcess(cmd *exec.Cmd, tell func(pid int)) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started, tell)
	return p, <-started
}

// run holds its thread for as long as the process lives: the parent that the kernel watches for Pdeathsig is the thread,
// and Go ends a thread whose goroutine exits while locked to it, which a test may well do.
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

// signal ignores the error: the only one is that the process has ended, and whoever signals waits for that anyway.
func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }
