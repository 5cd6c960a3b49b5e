// Withserver runs a command beside a private PostgreSQL, whose URL is in the environment variable
// DATABASE_URL:
//
//	cd bench && go run ./withserver go run github.com/seed1239206e/repaint/cmd/repaint bench
//
// The server comes from the system's binaries, and ends with the command.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/host"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "withserver:", err)
		os.Exit(1)
	}
}

func run(command []string) error {
	if len(command) == 0 {
		return errors.New("there is no command to run")
	}
	return host.Run(func(tb testing.TB) {
		at := testserver.Postgres(tb, testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust")).Database(tb)
		c := exec.CommandContext(context.Background(), command[0], command[1:]...)
		c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
		c.Env = append(os.Environ(), "DATABASE_URL="+at.URL())
		if err := c.Run(); err != nil {
			tb.Fatal(fmt.Errorf("%s: %w", command[0], err))
		}
	})
}
