package testserver

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// A watchdog ends a server and removes its directory when the test binary is gone, or on request.
// It is a shell in a session of its own that reads from a pipe. The system closes our end of the
// pipe however we end.
type watchdog struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	pipe io.WriteCloser
}

// Each line is the server's process id from then on; an empty line means that it isn't running. At
// the end of the pipe the server gets the signal that ends it at once, and five seconds later the
// signal that it can't refuse. A zombie counts as ended, because a container may have no process
// that collects it. The server's last children may still be writing, so removing the directory may
// take several attempts.
const watchScript = `
trap '' HUP INT QUIT TERM
alive() {
	kill -0 "$1" || return
	state=
	[ ! -r "/proc/$1/stat" ] || read -r _ _ state _ <"/proc/$1/stat"
	[ "$state" != Z ]
}
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
	kill -s "$2" "$pid"
	n=0
	while alive "$pid" && [ $n -lt 250 ]; do sleep 0.02; n=$((n+1)); done
	kill -s KILL "$pid"
fi
n=0
until rm -rf -- "$1" || [ $n -ge 50 ]; do sleep 0.1; n=$((n+1)); done
`

func watch(dir string, sig syscall.Signal) (*watchdog, error) {
	name := map[syscall.Signal]string{syscall.SIGQUIT: "QUIT", syscall.SIGKILL: "KILL"}[sig]
	cmd := exec.Command("/bin/sh", "-c", watchScript, "watchdog", dir, name)
	cmd.Dir = "/"
	cmd.Env = environment()
	cmd.SysProcAttr = watchdogAttributes()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("testserver: a pipe to the watchdog: %w", err)
	}
	defer r.Close()
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("testserver: starting the watchdog (/bin/sh): %w", err)
	}
	return &watchdog{cmd: cmd, pipe: w}, nil
}

// tell tells the watchdog which process to end; 0 means none. If the watchdog was killed, tell does
// nothing.
func (w *watchdog) tell(pid int) {
	line := "\n"
	if pid != 0 {
		line = strconv.Itoa(pid) + "\n"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = io.WriteString(w.pipe, line)
}

// release lets the watchdog do its work and waits for it.
func (w *watchdog) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.pipe.Close()
	_ = w.cmd.Wait()
}
