package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// pgbench is PostgreSQL's own benchmark: a client in C that does nothing else.
type pgbench struct {
	program string
	server  testserver.Target
	script  string // a file
	clients int
	unit    int // calls in a transaction, which is one run of the script
	first   burst
}

// A burst is a measured run: pgbench connects, and each client runs some transactions.
type burst struct {
	each      int           // transactions
	took, cpu time.Duration // only cpu includes connecting
}

// findPgbench prefers the program itself to Debian's wrapper, which is in PATH and takes CPU time
// of its own.
func findPgbench() (string, error) {
	places, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil {
		return "", err
	}
	if len(places) > 0 {
		return slices.Max(places), nil
	}
	program, err := exec.LookPath("pgbench")
	if err != nil {
		return "", errors.New("pgbench isn't there (Debian: apt-get install postgresql)")
	}
	return program, nil
}

// openPgbench puts unit calls into a pipeline in each transaction, if unit is above 1.
func openPgbench(ctx context.Context, program string, server testserver.Target, script string, callers, unit int) (*pgbench, error) {
	file, err := os.CreateTemp("", "repaint-bench-*.sql")
	if err != nil {
		return nil, err
	}
	p := &pgbench{program: program, server: server, script: file.Name(), clients: max(callers/unit, 1), unit: unit}
	_, err = file.WriteString(inPipeline(script, unit))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, errors.Join(err, p.close(ctx))
	}
	if p.first, err = p.run(ctx, 1); err != nil {
		return nil, errors.Join(err, p.close(ctx))
	}
	return p, nil
}

// inPipeline repeats the script in a pipeline. That is one transaction: rows come in the order of
// their ids, so that there are no deadlocks.
func inPipeline(script string, unit int) string {
	if unit == 1 {
		return strings.ReplaceAll(script, "ID", "random(1, 10000)")
	}
	numbers, statement, _ := strings.Cut(script, "\n\n")
	all := fmt.Sprintf("\\set first 1 + %d * random(0, %d)\n\\startpipeline\n", unit, 10_000/unit-1)
	for n := range unit {
		all += strings.ReplaceAll(numbers, "ID", fmt.Sprintf(":first + %d", n)) + "\n" + statement
	}
	return all + "\\endpipeline\n"
}

// measure runs as many transactions as take about the given time, at the rate that others had. The
// first transaction of each client, which prepares the statements, doesn't count: its cost was
// measured before.
func (p *pgbench) measure(ctx context.Context, length time.Duration, rate float64) (measure.Sample, error) {
	ctx, cancel := limited(ctx, length)
	defer cancel()
	all, err := p.run(ctx, 1+max(4, int(math.Ceil(rate*length.Seconds()/float64(p.clients*p.unit)))))
	if err != nil {
		return measure.Sample{}, err
	}
	return p.sample(all), nil
}

func (p *pgbench) sample(all burst) measure.Sample {
	rest := burst{all.each - p.first.each, all.took - p.first.took, all.cpu - p.first.cpu}
	if rest.took <= 0 {
		rest = all // the first run was disturbed too much to be subtracted
	}
	calls := float64(rest.each * p.clients * p.unit)
	return measure.Sample{
		Rate: calls / rest.took.Seconds(), Mean: measure.Micro(rest.took) / float64(rest.each),
		CPU: max(measure.Micro(rest.cpu)/calls, 0), Connections: float64(p.clients),
	}
}

func (p *pgbench) close(context.Context) error { return os.Remove(p.script) }

var (
	pgbenchRate = regexp.MustCompile(`(?m)^tps = ([\d.]+) \(without initial connection time\)`)
	pgbenchDone = regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)/(\d+)`)
)

// run makes each client run so many transactions.
func (p *pgbench) run(ctx context.Context, each int) (burst, error) {
	cmd := exec.CommandContext(ctx, p.program, "--no-vacuum", "--protocol=prepared", "--file="+p.script,
		"--client="+strconv.Itoa(p.clients), "--jobs="+strconv.Itoa(min(p.clients, 2)), "--transactions="+strconv.Itoa(each),
		"--host="+p.server.Host, "--port="+strconv.Itoa(p.server.Port), "--username="+p.server.User, p.server.DBName)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.server.Password, "PGSSLMODE=disable", "LC_ALL=C")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return burst{}, fmt.Errorf("pgbench: %w\n%s", err, problems.String())
	}
	took, err := readPgbench(string(out), p.clients*each)
	return burst{each, took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, err
}

// readPgbench returns how long all transactions took, without connecting. It checks their number.
func readPgbench(out string, transactions int) (time.Duration, error) {
	rate, done := pgbenchRate.FindStringSubmatch(out), pgbenchDone.FindStringSubmatch(out)
	if rate == nil || done == nil {
		return 0, fmt.Errorf("pgbench: no figures in\n%s", out)
	}
	if n := strconv.Itoa(transactions); done[1] != n || done[2] != n {
		return 0, fmt.Errorf("pgbench: %s of %s transactions, not %d", done[1], done[2], transactions)
	}
	tps, err := strconv.ParseFloat(rate[1], 64)
	if err != nil || tps <= 0 {
		return 0, fmt.Errorf("pgbench: no rate in %q: %w", rate[0], err)
	}
	return time.Duration(float64(transactions) / tps * float64(time.Second)), nil
}
