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

// load makes wrk request a URL over so many connections, after some requests that don't count.
// count returns the number of connections to the database.
func load(ctx context.Context, wrk, url string, clients int, length time.Duration, count func() int) (measure.Sample, error) {
	if err := warm(ctx, url, clients); err != nil {
		return measure.Sample{}, err
	}
	seconds := max(1, int(length.Round(time.Second)/time.Second))
	for {
		cpu := measure.CPUTime()
		s, requests, err := ask(ctx, wrk, url, clients, seconds)
		if err != nil {
			return measure.Sample{}, err
		}
		if longer := enough(requests, clients, seconds); longer > seconds {
			seconds = longer
			continue
		}
		if requests == 0 {
			return measure.Sample{}, fmt.Errorf("wrk got no response within %d s from %s", seconds, url)
		}
		s.CPU = measure.Micro(measure.CPUTime()-cpu) / float64(requests)
		s.Connections = float64(count())
		return s, nil
	}
}

const (
	most     = 4  // the most seconds that wrk runs, unless the flags ask for more
	patience = 20 // the seconds that it runs if nothing was answered, on a very busy machine
)

// enough returns how many seconds each client needs for two requests, given how many were answered
// in some seconds. Requests under way at the end don't count, so a shorter measurement shows too
// few.
func enough(requests, clients, seconds int) int {
	switch {
	case requests == 0:
		return max(patience, seconds)
	case requests >= 2*clients || seconds >= most:
		return seconds
	}
	return min(most, (2*clients*seconds+requests-1)/requests)
}

// warm makes a few requests for each connection to the database, all at once, which opens these and
// prepares statements. It fails if a response isn't a success.
func warm(ctx context.Context, url string, clients int) error {
	c := newClient()
	defer c.leave()
	g, ctx := errgroup.WithContext(ctx)
	for range min(clients, 2*connections) {
		g.Go(func() error {
			for range 5 {
				if _, err := c.get(ctx, url); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// ask runs wrk once. It also returns how many requests were answered.
func ask(ctx context.Context, wrk, url string, clients, seconds int) (measure.Sample, int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, wrk, "-t", strconv.Itoa(min(runtime.NumCPU(), clients)), "-c", strconv.Itoa(clients),
		"-d", fmt.Sprint(seconds, "s"), "--timeout", "30s", "--latency", url).CombinedOutput()
	if err != nil {
		return measure.Sample{}, 0, fmt.Errorf("wrk: %w: %s", err, out)
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

// read reads what wrk prints: the sample, and how many requests were answered. A response that was
// no success is an error.
func read(out string) (s measure.Sample, requests int, err error) {
	if bad := failureLine.FindString(out); bad != "" {
		return s, 0, fmt.Errorf("wrk: %s", bad)
	}
	field := func(line *regexp.Regexp) string {
		found := line.FindStringSubmatch(out)
		if found == nil {
			err = fmt.Errorf("wrk printed nothing that matches %s: %s", line, out)
			return ""
		}
		return found[1]
	}
	rate, answered, p50, p99 := field(rateLine), field(requestsLine), field(p50Line), field(p99Line)
	if err != nil {
		return s, 0, err
	}
	var errs [4]error
	s.Rate, errs[0] = strconv.ParseFloat(rate, 64)
	requests, errs[1] = strconv.Atoi(answered)
	var d time.Duration
	d, errs[2] = time.ParseDuration(p50)
	s.P50 = measure.Micro(d)
	d, errs[3] = time.ParseDuration(p99)
	s.P99 = measure.Micro(d)
	return s, requests, errors.Join(errs[:]...)
}
