package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// findWrk returns the path of wrk.
func findWrk() (string, error) {
	path, err := exec.LookPath("wrk")
	if err != nil {
		return "", errors.New("wrk, which makes the load: apt-get install wrk, or scripts/install-servers.sh load")
	}
	return path, nil
}

// load has wrk ask for a URL over so many connections, after some requests that don't count. count
// returns the connections to the database.
func load(ctx context.Context, wrk, url string, clients int, length time.Duration, count func() int) (measure.Sample, error) {
	if err := warm(ctx, url, clients); err != nil {
		return measure.Sample{}, err
	}
	cpu := measure.CPUTime()
	s, err := ask(ctx, wrk, url, clients, length)
	if err != nil {
		return measure.Sample{}, err
	}
	s.CPU = measure.Micro(measure.CPUTime()-cpu) / s.CPU
	s.Connections = float64(count())
	return s, nil
}

// warm makes a few requests for each connection to the database, all at once, which opens these and
// prepares statements. It fails if a response isn't a success.
func warm(ctx context.Context, url string, clients int) error {
	g, ctx := errgroup.WithContext(ctx)
	for range min(clients, 2*connections) {
		g.Go(func() error {
			for range 5 {
				if _, err := get(ctx, url); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// ask runs wrk once. The sample's CPU is the number of requests.
func ask(ctx context.Context, wrk, url string, clients int, length time.Duration) (measure.Sample, error) {
	seconds := max(1, int(length.Round(time.Second)/time.Second))
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, wrk, "-t", strconv.Itoa(min(runtime.NumCPU(), clients)), "-c", strconv.Itoa(clients),
		"-d", fmt.Sprint(seconds, "s"), "--timeout", "30s", "--latency", url).CombinedOutput()
	if err != nil {
		return measure.Sample{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return read(string(out))
}

var (
	rateLine     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	requestsLine = regexp.MustCompile(`(\d+) requests in`)
	p50Line      = regexp.MustCompile(`50%\s+([\d.]+(?:us|ms|s|m))`)
	p99Line      = regexp.MustCompile(`99%\s+([\d.]+(?:us|ms|s|m))`)
	failureLine  = regexp.MustCompile(`(Non-2xx or 3xx responses|Socket errors): .*`)
)

// read reads what wrk prints. A response that was no success is an error.
func read(out string) (s measure.Sample, err error) {
	if bad := failureLine.FindString(out); bad != "" {
		return s, fmt.Errorf("wrk: %s", bad)
	}
	field := func(line *regexp.Regexp) string {
		found := line.FindStringSubmatch(out)
		if found == nil {
			err = fmt.Errorf("wrk printed nothing that matches %s: %s", line, out)
			return ""
		}
		return found[1]
	}
	rate, requests, p50, p99 := field(rateLine), field(requestsLine), field(p50Line), field(p99Line)
	if err != nil {
		return s, err
	}
	var errs [4]error
	s.Rate, errs[0] = strconv.ParseFloat(rate, 64)
	s.CPU, errs[1] = strconv.ParseFloat(requests, 64)
	var d time.Duration
	d, errs[2] = time.ParseDuration(p50)
	s.P50 = measure.Micro(d)
	d, errs[3] = time.ParseDuration(p99)
	s.P99 = measure.Micro(d)
	if s.CPU == 0 {
		return s, fmt.Errorf("wrk got no response: %s", out)
	}
	return s, errors.Join(errs[:]...)
}
