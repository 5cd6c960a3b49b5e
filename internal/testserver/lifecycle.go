package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver/freeport"
)

// A flavor does what differs between the servers.
type flavor interface {
	client
	label() string
	// locate finds the programs and their version, or returns a *MissingError.
	locate() (flavor, string, error)
	// maintenance returns the database that always exists.
	maintenance() string
	// socket returns the value of Target.Socket for sockets in this directory.
	socket(dir string) string
	// create makes the data directory. It runs once.
	create(s *Server) error
	// command returns the server itself, in the foreground, logging to its standard error.
	command(s *Server) *exec.Cmd
	// ready tries once to find out whether the server with this process id accepts connections.
	ready(s *Server, pid int) bool
	// created runs after the first start.
	created(s *Server) error
	// stopSignal ends the server in order, killSignal at once. Both must end its children too.
	stopSignal() syscall.Signal
	killSignal() syscall.Signal
	// crashed cleans up what a server leaves behind that was killed without a warning.
	crashed(s *Server)
	createDatabase(name string, major int) string
	dropDatabase(name string) string
}

const (
	superuser = "repaint"
	password  = "repaint"
)

// launch makes a directory, creates the data in it and starts the server.
func launch(f flavor, o options) (*Server, error) {
	if !supported {
		return nil, &MissingError{Server: f.label(), Reason: "test servers are started the Unix way, which this system hasn't"}
	}
	f, version, err := f.locate()
	if err != nil {
		return nil, err
	}
	dir, who, err := place()
	if err != nil {
		return nil, fmt.Errorf("testserver: a directory for %s: %w", f.label(), err)
	}
	s := &Server{
		Target: Target{
			Host:     "127.0.0.1",
			Socket:   f.socket(filepath.Join(dir, "s")),
			User:     superuser,
			Password: password,
			DBName:   f.maintenance(),
			client:   f,
		},
		Version: version,
		flavor:  f,
		opts:    o,
		dir:     dir,
		account: who,
	}
	if s.guard, err = watch(dir, f.killSignal()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.firstStart(); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

func (s *Server) firstStart() error {
	for _, dir := range []string{"s", "tmp"} {
		if err := s.account.mkdir(s.path(dir)); err != nil {
			return fmt.Errorf("testserver: preparing %s: %w", s.dir, err)
		}
	}
	if s.opts.tls {
		if err := s.writeCertificates(); err != nil {
			return err
		}
		s.CAFile, s.CertFile, s.KeyFile = s.path(caFile), s.path(clientCertFile), s.path(clientKeyFile)
	}
	if err := s.flavor.create(s); err != nil {
		return err
	}
	// Another process can take the port between our choice and the start of the server.
	for attempt := 1; ; attempt++ {
		port, err := freeport.Pick()
		if err != nil {
			return err
		}
		s.Port = port
		logged := len(s.log())
		err = s.start()
		if err == nil {
			return s.flavor.created(s)
		}
		if attempt == 5 || !strings.Contains(s.log()[logged:], "already in use") {
			return err
		}
	}
}

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive() {
		return fmt.Errorf("testserver: starting %s: it is running already", s.flavor.label())
	}
	deadline := time.Now().Add(startTimeout)
	logged := len(s.log())
	proc, err := s.spawn(s.flavor.command(s), s.flavor.killSignal(), s.guard.tell)
	if err != nil {
		return err
	}
	for !s.flavor.ready(s, proc.cmd.Process.Pid) {
		// A server that was killed is gone before all of its children are, which have its memory.
		if proc.ended() && strings.Contains(s.log()[logged:], "pre-existing shared memory block") && time.Now().Before(deadline) {
			time.Sleep(50 * time.Millisecond)
			logged = len(s.log())
			if proc, err = s.spawn(s.flavor.command(s), s.flavor.killSignal(), s.guard.tell); err != nil {
				return err
			}
			continue
		}
		if proc.ended() {
			return s.failed(fmt.Errorf("it ended while it was starting: %w", proc.err))
		}
		if time.Now().After(deadline) {
			proc.signal(syscall.SIGKILL)
			return s.failed(fmt.Errorf("it wasn't ready after %v", startTimeout))
		}
		// The servers report only to systemd when they are ready.
		time.Sleep(5 * time.Millisecond)
	}
	s.proc = proc
	return nil
}

// end is idempotent.
func (s *Server) end(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	if s.suspended { // or else it wouldn't notice
		s.signalAll(sigContinue)
		s.suspended = false
	}
	s.proc.signal(sig)
	if !s.proc.wait(stopTimeout) {
		s.proc.signal(syscall.SIGKILL)
		return s.failed(fmt.Errorf("it didn't end within %v of signal %d (%v), and was killed", stopTimeout, sig, sig))
	}
	s.proc = nil
	return nil
}

// alive reports whether the server runs. The caller holds the mutex.
func (s *Server) alive() bool { return s.proc != nil && !s.proc.ended() }

func (s *Server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alive()
}

// remove ends the server, whatever state it is in, and deletes its directory. The data aren't
// needed any more, so it kills the server.
func (s *Server) remove() error {
	err := s.end(s.flavor.killSignal())
	s.guard.release()
	// The watchdog has done that, unless it was killed.
	return errors.Join(err, os.RemoveAll(s.dir))
}

// run runs a tool of the server to its end.
func (s *Server) run(cmd *exec.Cmd) error {
	proc, err := s.spawn(cmd, syscall.SIGKILL, nil)
	if err != nil {
		return err
	}
	if !proc.wait(startTimeout) {
		proc.signalGroup(syscall.SIGKILL)
		return s.failed(fmt.Errorf("%s didn't end within %v", cmd.Path, startTimeout))
	}
	if proc.err != nil {
		return s.failed(fmt.Errorf("%s: %w", cmd.Path, proc.err))
	}
	return nil
}

// spawn starts a program as the server's user, with output to the log and a clean environment.
func (s *Server) spawn(cmd *exec.Cmd, deathSignal syscall.Signal, tell func(pid int)) (*process, error) {
	log, err := os.OpenFile(s.path("server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("testserver: opening the log of %s: %w", s.flavor.label(), err)
	}
	defer log.Close() // the process has a descriptor of its own
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = s.dir
	cmd.Env = environment("HOME="+s.path("tmp"), "TMPDIR="+s.path("tmp"))
	cmd.SysProcAttr = s.account.attributes(deathSignal)
	proc, err := startProcess(cmd, tell)
	if err != nil {
		return nil, fmt.Errorf("testserver: starting %s in %s: %w", cmd.Path, s.dir, err)
	}
	return proc, nil
}

func (s *Server) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *Server) log() string {
	b, err := os.ReadFile(s.path("server.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(b)
}

// failed adds the server's name and the end of its log to an error.
func (s *Server) failed(err error) error {
	return fmt.Errorf("testserver: %s %s: %w; its log ends with:\n%s", s.flavor.label(), s.Version, err, tail(s.log()))
}

func tail(log string) string {
	const most = 4096
	if len(log) > most {
		_, log, _ = strings.Cut(log[len(log)-most:], "\n")
	}
	return strings.TrimRight(log, "\n")
}
