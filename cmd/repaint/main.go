// Command repaint shows what the module does, on a database of your choice.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	_ "github.com/seed1239206e/repaint/db/mysql"
	_ "github.com/seed1239206e/repaint/db/postgres"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/internal/gauge"
	"github.com/seed1239206e/repaint/internal/link"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// Exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as if by SIGINT
)

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.Command{
		Name:  "repaint",
		Usage: "one blue function, in both colours",
		Description: "repaint changes a function's colour without touching its source: plain sequential\n" +
			"database code runs on goroutines, and unchanged as greenlets of an event loop.",
		Version:   version(),
		Commands:  []*cli.Command{demoCommand(stdout, stderr), benchCommand(stdout, stderr)},
		Writer:    stdout,
		ErrWriter: stderr,
		// The code below decides the status.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		OnUsageError:   usageError,
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return &usage{fmt.Errorf("unknown command %q; see repaint --help", cmd.Args().First())}
			}
			return cli.ShowRootCommandHelp(cmd)
		},
	}
	err := app.Run(ctx, args)
	var status exitStatus
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintln(stderr, "repaint:", oneLine(err))
	var u *usage
	if errors.As(err, &u) || errors.Is(err, link.ErrUsage) || errors.Is(err, gauge.ErrUsage) {
		return exitUsage
	}
	return exitFailed
}

// oneLine returns an error's text without line breaks, which the texts of drivers may have.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// version returns the module's version, and the revision if the program was built from a
// repository.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v == "(devel)" {
			v += " " + s.Value
		}
	}
	return v + " " + runtime.Version()
}

// An exitStatus ends the program after it has printed everything.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// A usage error is about the command line.
type usage struct{ error }

func (u *usage) Unwrap() error { return u.error }

func usageError(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	return &usage{fmt.Errorf("%w; see %s --help", wrongValue(err), cmd.FullName())}
}

// flagValue matches the library's error about a flag's value: the value, the flag, and the reason
// that strconv or time gives.
var flagValue = regexp.MustCompile(`^invalid value (".*") for flag -+([\w-]+): .*`)

// wrongValue says which flag has a wrong value, without the words of the package that has parsed
// it.
func wrongValue(err error) error {
	found := flagValue.FindStringSubmatch(err.Error())
	if found == nil {
		return err
	}
	what := "a number"
	switch found[2] {
	case "delay", "duration":
		what = "a time with a unit, such as 1ms or 5s"
	}
	return fmt.Errorf("--%s has %s, but must be %s", found[2], found[1], what)
}
