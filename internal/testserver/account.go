package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"syscall"
)

// An account is the unprivileged user that a server runs as if the tests run as root, which
// PostgreSQL refuses. A nil account means the user who runs the tests.
type account struct {
	name     string
	uid, gid uint32
}

// The shortest limit of a Unix socket's path (macOS: 104 with its final zero), less our longest
// name ("/s/.s.PGSQL.65535.lock").
const longestDir = 103 - 22

// place makes a directory that the server's user can work in, and returns that user. It tries the
// place that TMPDIR names, then memory, then the usual place. It passes over a directory that is
// closed to the user, or whose path is too long for a socket.
func place() (string, *account, error) {
	who, err := unprivileged()
	if err != nil {
		return "", nil, err
	}
	bases := append(memory(), os.TempDir(), "/tmp", "/var/tmp")
	if asked := os.Getenv("TMPDIR"); asked != "" {
		bases = slices.Insert(bases, 0, asked)
	}
	var errs []error
	for _, base := range bases {
		dir, err := os.MkdirTemp(base, "repaint-")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err = who.accept(dir); err == nil {
			return dir, who, nil
		}
		errs = append(errs, err, os.Remove(dir))
	}
	return "", nil, errors.Join(errs...)
}

func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	var errs []error
	for _, name := range []string{"nobody", "postgres", "mysql"} {
		u, err := user.Lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		// Signed, because macOS says -2.
		uid, err1 := strconv.ParseInt(u.Uid, 10, 64)
		gid, err2 := strconv.ParseInt(u.Gid, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			errs = append(errs, err)
			continue
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("the tests run as root, which the server refuses, and no other user will do: %w", errors.Join(errs...))
}

// accept gives the directory to the account, and checks whether the account can use it.
func (a *account) accept(dir string) error {
	if len(dir) > longestDir {
		return fmt.Errorf("%s: a Unix socket in it would have too long a path", dir)
	}
	if a == nil {
		return nil
	}
	if err := os.Chown(dir, int(a.uid), int(a.gid)); err != nil {
		return err
	}
	cmd := exec.Command("/bin/sh", "-c", "test -w .")
	cmd.Dir = dir
	cmd.SysProcAttr = a.attributes(syscall.SIGKILL)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s can't be used by %q, the user that the server runs as: %w", dir, a.name, err)
	}
	return nil
}

func (a *account) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return a.own(dir)
}

func (a *account) writeFile(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return a.own(path)
}

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}
