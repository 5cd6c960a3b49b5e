// Package python runs peers that are written in Python. Each is one process, which reads requests
// and writes answers in JSON, line by line.
package python

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// ErrMissing says that no interpreter has the modules.
var ErrMissing = errors.New("no Python that can import them")

// interpreters are tried in turn. The first one in PATH may not be the one that has the system's
// packages.
var interpreters = []string{"python3", "/usr/bin/python3"}

// Find returns the first interpreter that can import the modules, which are separated by commas.
// The error says which of Debian's packages have them.
func Find(modules, packages string) (string, error) {
	for _, name := range interpreters {
		if exec.Command(name, "-c", "import "+modules).Run() == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s: %w (Debian: apt-get install %s)", modules, ErrMissing, packages)
}

// Answering stands before the script of a peer that measures calls: it has drive, cpu, figures and
// serve.
//
//go:embed answering.py
var Answering string

// A Process is a peer. One goroutine at a time may use it.
type Process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan []byte // what it prints; closed at its end
	stderr *bytes.Buffer
}

// Start starts a script, given as text. The context's end kills it.
func Start(ctx context.Context, interpreter, script string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, interpreter, append([]string{"-B", "-c", script}, args...)...), lines: make(chan []byte), stderr: new(bytes.Buffer)}
	p.cmd.Stderr = p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("python: starting %s: %w", interpreter, err)
	}
	p.stdin = stdin
	go func() {
		defer close(p.lines)
		for r := bufio.NewScanner(stdout); r.Scan(); {
			p.lines <- bytes.Clone(r.Bytes())
		}
	}()
	return p, nil
}

// Call sends a request, and fills in the answer. An answer {"error": …} becomes an error. After any
// other error the process can only be closed.
func (p *Process) Call(ctx context.Context, question, answer any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err := p.stdin.Write(append(text, '\n')); err != nil {
		return p.failed(err)
	}
	select {
	case line, ok := <-p.lines:
		if !ok {
			return p.failed(io.ErrUnexpectedEOF)
		}
		var refused struct{ Error string }
		if err := json.Unmarshal(line, &refused); err != nil {
			return fmt.Errorf("python: reading the answer %q: %w", line, err)
		}
		if refused.Error != "" {
			return fmt.Errorf("python: asked for %s: %s", text, refused.Error)
		}
		return json.Unmarshal(line, answer)
	case <-ctx.Done():
		return fmt.Errorf("python: waiting for the answer to %s: %w", text, context.Cause(ctx))
	}
}

// failed ends the process, so that its whole output is known.
func (p *Process) failed(err error) error {
	_ = p.Close()
	return fmt.Errorf("python: the process has ended: %w\n%s", err, strings.TrimSpace(p.stderr.String()))
}

// Close closes the process's input, on which the process should end, and kills it if it doesn't.
func (p *Process) Close() error {
	_ = p.stdin.Close()
	patience := time.AfterFunc(5*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer patience.Stop()
	for range p.lines { // until its output ends
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("python: %w", err)
	}
	return nil
}
