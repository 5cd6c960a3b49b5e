//go:build unix

package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// helperEnv turns this test binary into a program that starts a server and then ends as the
// variable says.
const helperEnv = "TESTSERVER_HELPER"

const onLinux = runtime.GOOS == "linux"

// helperMain prints "pid watchdog dir" for each server that it has started.
func helperMain(how string) {
	for _, f := range []flavor{postgres{}, mariadb{}} {
		srv, err := launch(f, options{})
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println(srv.proc.cmd.Process.Pid, srv.guard.cmd.Process.Pid, srv.dir)
	}
	if how == "exit" {
		os.Exit(3)
	}
	select {} // until killed
}

func TestNothingIsLeftOfAProcessThatEndsWithoutCleanup(t *testing.T) {
	Postgres(t)
	MariaDB(t)
	for _, how := range []string{"exit", "killed"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), helperEnv+"="+how)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			var lines []string
			for scan := bufio.NewScanner(out); len(lines) < 2 && scan.Scan(); {
				lines = append(lines, scan.Text())
			}
			if how == "killed" {
				require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)) // the whole group
			}
			require.Error(t, cmd.Wait())
			require.Len(t, lines, 2, lines)
			for _, line := range lines {
				field := strings.Fields(line)
				require.Len(t, field, 3, line)
				requireGone(t, field[0])
				requireGone(t, field[1])
				require.NoDirExists(t, field[2])
			}
		})
	}
}

func TestServerDiesWithItsParentAlthoughTheWatchdogWasKilled(t *testing.T) {
	if !onLinux {
		t.Skip("only Linux ends a process with its parent")
	}
	Postgres(t)
	MariaDB(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=killed")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var servers, dirs []string
	for scan := bufio.NewScanner(out); len(servers) < 2 && scan.Scan(); {
		field := strings.Fields(scan.Text())
		require.Len(t, field, 3, scan.Text())
		watchdog, err := strconv.Atoi(field[1])
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(watchdog, syscall.SIGKILL))
		servers, dirs = append(servers, field[0]), append(dirs, field[2])
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	for i := range servers {
		requireGone(t, servers[i])
		require.NoError(t, os.RemoveAll(dirs[i])) // no watchdog is left to do it
	}
}

// requireGone waits for the end of a process that isn't our child, so it has to poll. A zombie
// counts as gone, because some containers have no process that collects it.
func requireGone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		if errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			return true
		}
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		_, state, _ := strings.Cut(string(stat), ") ")
		return errors.Is(err, fs.ErrNotExist) && onLinux || strings.HasPrefix(state, "Z")
	}, 20*time.Second, 5*time.Millisecond, "process %s is still there", pid)
}
