package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/seed1239206e/repaint/internal/gauge"
	"github.com/seed1239206e/repaint/internal/terminal"
)

// A bench is the command that measures.
type bench struct {
	out, errOut io.Writer
	options     gauge.Options
	callers     string
	args        []string
	json, html  string // files; "-" is the standard output
}

func benchCommand(stdout, stderr io.Writer) *cli.Command {
	b := &bench{out: stdout, errOut: stderr}
	o := &b.options
	return &cli.Command{
		Name:  "bench",
		Usage: "measure what repaint gains, with your own query",
		Description: "The same calls are made through a plain pool (pgxpool, or database/sql), and through\n" +
			"repaint: from goroutines, in a loop, and by a Reader where there is one. All take turns.\n" +
			"Without --sql there are built-in workloads: some that need no table, and with\n" +
			"--allow-writes some on a table that bench makes and drops.\n\n" +
			"Parameters are written $1, $2 for PostgreSQL and ? for MySQL and SQLite:\n" +
			"   repaint bench --url postgres://… --sql 'select * from users where id = $1' --args 7",
		Flags: []cli.Flag{
			databaseFlag(&o.URL),
			&cli.StringFlag{Name: "sql", Usage: "the `STATEMENT` to measure", DefaultText: "built-in workloads", Destination: &o.SQL},
			&cli.StringSliceFlag{
				Name: "args",
				Usage: "the `VALUES` of the statement's parameters, between commas or in several --args;\n" +
					"\"a,b\" in quotes is one value, and {1..1000} a number at random for each call",
				Destination: &b.args,
			},
			&cli.StringFlag{Name: "callers", Usage: "how many callers there are at once: a `LIST` of numbers", Value: "1,32,256", Destination: &b.callers},
			&cli.DurationFlag{Name: "duration", Usage: "measure each way for this `TIME` in each case", Value: 5 * time.Second, Destination: &o.Duration},
			&cli.IntFlag{Name: "rounds", Usage: "divide that time into `N` rounds, in which all ways take turns", Value: 5, Destination: &o.Rounds},
			&cli.IntFlag{Name: "connections", Usage: "use `N` connections at most in each way", Value: 16, Destination: &o.Connections},
			&cli.DurationFlag{Name: "delay", Usage: "put a network with this `TIME` of round trip in front of the server, such as 1ms", Destination: &o.Delay},
			&cli.BoolFlag{Name: "allow-writes", Usage: "let statements write, and measure the built-in workloads that need a table", Destination: &o.AllowWrites},
			&cli.StringFlag{Name: "json", Usage: "write all samples to this `FILE`, or to the standard output if it is -", Destination: &b.json},
			&cli.StringFlag{Name: "html", Usage: "write a page with plots to this `FILE`, or to the standard output if it is -", Destination: &b.html},
		},
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return &usage{fmt.Errorf("bench takes no arguments but flags, and got %q; see repaint bench --help", cmd.Args().First())}
			}
			if cmd.IsSet("sql") && strings.TrimSpace(o.SQL) == "" {
				return &usage{errors.New("--sql is empty")}
			}
			return b.run(ctx)
		},
	}
}

// run measures, prints, and writes the files.
func (b *bench) run(ctx context.Context) error {
	if err := b.read(); err != nil {
		return err
	}
	out := b.out
	if b.json == "-" || b.html == "-" {
		if b.json == b.html {
			return &usage{errors.New("only one of --json and --html can be -, the standard output")}
		}
		out = b.errOut // the tables go to the other output
	}
	files, err := b.create(b.out)
	if err != nil {
		return err
	}
	defer closeAll(files)
	var bar *terminal.Bar
	b.options.Opened = func(r *gauge.Report, measurements int) {
		r.Head(out)
		bar = terminal.NewBar(out, b.errOut, "measuring", measurements)
	}
	b.options.Measured = func() { bar.Add() }
	b.options.Finished = func(_ *gauge.Report, c *gauge.Case) {
		bar.Finish()
		c.Print(out)
	}
	r, err := gauge.Run(ctx, b.options)
	bar.Finish()
	if err != nil && (r == nil || len(r.Cases) == 0) {
		return err
	}
	r.Version = version()
	r.Foot(out)
	if err := errors.Join(err, finish(files, r)); err != nil {
		return err
	}
	if r.Interrupted {
		return exitStatus(exitInterrupted)
	}
	return nil
}

// read reads the flags that are lists.
func (b *bench) read() error {
	for text := range strings.SplitSeq(b.callers, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return &usage{fmt.Errorf("--callers has %q, but must be numbers with commas between them, such as 1,32,256", text)}
		}
		b.options.Callers = append(b.options.Callers, n)
	}
	for _, text := range b.args {
		values, err := csv.NewReader(strings.NewReader(text)).Read()
		switch {
		case errors.Is(err, io.EOF):
			values = []string{""}
		case err != nil:
			return &usage{errors.New("--args can't be read: a value with a comma or a quote stands in double quotes, in which a quote is doubled")}
		}
		b.options.Args = append(b.options.Args, values...)
	}
	return nil
}

// An output is a file that is written at the end. It is created before anything is measured, so
// that a wrong name costs no time.
type output struct {
	to    io.Writer
	file  *os.File // nil for the standard output
	write func(r *gauge.Report, w io.Writer) error
}

// create creates all files, or none.
func (b *bench) create(stdout io.Writer) (all []*output, err error) {
	for _, want := range []struct {
		flag, name string
		write      func(r *gauge.Report, w io.Writer) error
	}{
		{"--json", b.json, (*gauge.Report).Write},
		{"--html", b.html, (*gauge.Report).WritePage},
	} {
		switch want.name {
		case "":
		case "-":
			all = append(all, &output{to: stdout, write: want.write})
		default:
			f, err := os.Create(want.name)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("make the file of %s: %w", want.flag, err), closeAll(all))
			}
			all = append(all, &output{f, f, want.write})
		}
	}
	return all, nil
}

// finish writes the report to all of them.
func finish(all []*output, r *gauge.Report) error {
	var errs []error
	for _, o := range all {
		errs = append(errs, o.write(r, o.to))
	}
	return errors.Join(append(errs, closeAll(all))...)
}

func closeAll(all []*output) error {
	var errs []error
	for _, o := range all {
		if o.file != nil {
			errs = append(errs, o.file.Close())
			o.file = nil
		}
	}
	return errors.Join(errs...)
}
