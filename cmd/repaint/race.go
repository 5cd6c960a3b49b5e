package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/terminal"
	"github.com/seed1239206e/repaint/repainttest"
)

// Act 2: two withdrawals race, and the schedule that pays out twice is found.

func raceCommand(stdout, stderr io.Writer) *cli.Command {
	d := &demo{out: stdout, errOut: stderr}
	var seed uint64
	var schedule string
	return &cli.Command{
		Name:  "race",
		Usage: "show only act 2, the race",
		Description: "The same --seed tries the same schedules in the same order. --schedule runs one\n" +
			"schedule only, such as the one that a search has found.",
		Flags: []cli.Flag{
			databaseFlag(&d.url),
			&cli.Uint64Flag{Name: "seed", Usage: "search from this `NUMBER`", Destination: &seed},
			&cli.StringFlag{Name: "schedule", Usage: "repeat this `SCHEDULE`", Destination: &schedule},
			&cli.StringFlag{Name: "page", Usage: "write the schedule as an HTML page to this `FILE`", Destination: &d.page},
		},
		OnUsageError: usageError,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return &usage{fmt.Errorf("demo race takes no arguments, but got %q; see repaint demo race --help", cmd.Args().First())}
			}
			return d.with(ctx, func(ctx context.Context) error {
				if cmd.IsSet("schedule") {
					return d.repeatRace(ctx, schedule)
				}
				return d.showRace(ctx, seed)
			})
		},
	}
}

const (
	deposit = 100
	amount  = 60

	mostSchedules = 1000
)

var errPaidTwice = fmt.Errorf("the account had %d, and %d were paid out", deposit, 2*amount)

// withdraw is blue, and wrong: the row that it has read may have changed when it writes.
func withdraw(ctx context.Context, q db.Querier, table string) (paid bool, err error) {
	balance, err := db.Scalar[int](ctx, q, "select balance from "+table)
	if err != nil || balance < amount {
		return false, err
	}
	_, err = q.Exec(ctx, "update "+table+" set balance = :rest", db.Named("rest", balance-amount))
	return err == nil, err
}

// refill makes the state that each schedule begins with.
func (d *demo) refill(ctx context.Context) error {
	_, err := d.engine.Exec(ctx, fmt.Sprintf("update %saccount set balance = %d", d.prefix, deposit))
	return err
}

// withdrawals is the program whose schedules are tried.
func (d *demo) withdrawals(ctx context.Context) error {
	table := d.prefix + "account"
	one := func(ctx context.Context) (bool, error) { return withdraw(ctx, d.engine, table) }
	paid, err := repaint.Gather(ctx, one, one)
	if err != nil {
		return err
	}
	if paid[0] && paid[1] {
		return errPaidTwice
	}
	return nil
}

func (d *demo) withAccount(ctx context.Context, fn func() error) error {
	return d.withTables(ctx, [][2]string{{"account", "balance integer not null"}}, func() error {
		if _, err := d.engine.Exec(ctx, "insert into "+d.prefix+"account (balance) values (0)"); err != nil {
			return interrupted(ctx, err)
		}
		return fn()
	})
}

// showRace searches for the race.
func (d *demo) showRace(ctx context.Context, seed uint64) error {
	d.heading(2, fmt.Sprintf("an account has %d, and two withdraw %d at once", deposit, amount))
	return d.withAccount(ctx, func() error {
		found, tried, err := repainttest.Search(ctx, mostSchedules, seed, d.withdrawals, repainttest.Fresh(d.refill))
		switch {
		case ctx.Err() != nil:
			return d.interrupt()
		case err != nil:
			return err
		case found == nil:
			return fmt.Errorf("none of %d schedules paid out twice", tried)
		case !errors.Is(found.Err, errPaidTwice):
			return fmt.Errorf("schedule %d of the withdrawals failed: %w", tried, found.Err)
		}
		d.say("Each reads the balance, decides, and writes. %s of two tasks ran until one paid out twice:", terminal.Counted(tried, "schedule"))
		if err := d.table(found); err != nil {
			return err
		}
		d.say("to repeat it: repaint demo race --schedule '%s'%s", found.Schedule, d.sameURL())
		d.say("to search again: repaint demo race --seed %d%s", seed, d.sameURL())
		return nil
	})
}

// repeatRace runs one schedule.
func (d *demo) repeatRace(ctx context.Context, schedule string) error {
	d.heading(2, fmt.Sprintf("an account has %d, and two withdraw %d at once", deposit, amount))
	return d.withAccount(ctx, func() error {
		found, err := repainttest.Replay(ctx, schedule, d.withdrawals, repainttest.Fresh(d.refill))
		if err != nil {
			return err
		}
		if err := d.table(found); err != nil {
			return err
		}
		if found.Err == nil {
			d.say("in this schedule nothing goes wrong")
			return nil
		}
		d.say("%v", found.Err)
		return nil
	})
}

// sameURL returns the flag that chooses the same database. It shows no password.
func (d *demo) sameURL() string {
	if d.url == "" {
		return ""
	}
	return " --url …"
}

// table prints a schedule, and writes its page if the user wants one.
func (d *demo) table(found *repainttest.Finding) error {
	for line := range strings.Lines(found.Table(d.width() - 1)) {
		fmt.Fprint(d.out, " ", line)
	}
	if d.page == "" {
		return nil
	}
	command := fmt.Sprintf("repaint demo race --schedule '%s'%s", found.Schedule, d.sameURL())
	return found.WritePage(d.page, "Two withdrawals", command)
}
