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

// watchdog ends a server and removes its directory when the test binary is gone, or when it is told to. It is a shell
// in a session of its own, that reads from a pipe; the system closes our end of the pipe however we end.
type watchdog struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	pipe io.WriteCloser
}

// Each line is the process id of the server from now on, an empty one says that it isn't running. After the pipe's end
// the server gets the signal that ends it at once, five seconds for that, and then the one that can't be refused.
// A zombie has ended: in a container there may be nobody who collects it. The server's last children may still be
// writing, so the directory may need more than one attempt.
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

// tell says which process to end; 0: none. If the watchdog was killed there is nobody to tell, and nothing to do.
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
