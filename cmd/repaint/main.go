// Command repaint shows what the module does, on a database of your choice.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
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
	"github.com/seed1239206e/repaint/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	// A reader of the output that goes away, such as head, must not kill the program, which would
	// leave tables and files.
	signal.Ignore(syscall.SIGPIPE)
	out := &pipe{to: os.Stdout}
	ctx, out.cut = context.WithCancelCause(ctx)
	var stdout io.Writer = out
	if terminal.IsTerminal(os.Stdout) {
		stdout = os.Stdout // has a width, and no other end that could close
	}
	status := run(ctx, os.Args, stdout, os.Stderr)
	if errors.Is(context.Cause(ctx), syscall.EPIPE) {
		status = exitUnread
	}
	os.Exit(status)
}

// Exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // as if by SIGINT
	exitUnread      = 141 // as if by SIGPIPE
)

// A pipe is an output that may have another end. When writing fails, it interrupts the program.
type pipe struct {
	to  io.Writer
	cut context.CancelCauseFunc
}

func (o *pipe) Write(text []byte) (int, error) {
	n, err := o.to.Write(text)
	if err != nil {
		o.cut(err)
	}
	return n, err
}

// run is the program: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.Command{
		Name:  "repaint",
		Usage: "faster database code without a rewrite: a demo, and a benchmark of your own query",
		Description: "The library repaint runs plain sequential database code on a driver that pipelines,\n" +
			"from goroutines, and unchanged as tasks of an event loop.",
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
	switch {
	case strings.Contains(err.Error(), "out of range"):
		what = fmt.Sprint("a number up to ", math.MaxInt)
	case found[2] == "delay" || found[2] == "duration":
		what = "a time with a unit, such as 1ms or 5s"
	}
	return fmt.Errorf("--%s has %s, but must be %s", found[2], found[1], what)
}
