package main

import (
	"testing"
	"time"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

func sampleOf(i int) measure.Sample {
	v := float64(i)
	return measure.Sample{Rate: v, Mean: v, P50: v, P99: v, CPU: v, Allocs: v, Bytes: v, Connections: v}
}

const pgbenchOutput = `pgbench (15.18)
transaction type: script.sql
query mode: prepared
number of clients: 4
number of transactions per client: 25
number of transactions actually processed: 100/100
number of failed transactions: 0 (0.000%)
latency average = 0.250 ms
initial connection time = 4.000 ms
tps = 16000.000000 (without initial connection time)
`

func TestPgbenchIsReadAndItsTransactionsAreCounted(t *testing.T) {
	got, err := readPgbench(pgbenchOutput, 100)
	if want := 6250 * time.Microsecond; err != nil || got != want {
		t.Error(got, err)
	}
	if _, err := readPgbench(pgbenchOutput, 101); err == nil {
		t.Error("a transaction that is missing isn't noticed")
	}
	if _, err := readPgbench("tps = many", 1); err == nil {
		t.Error("it needs figures")
	}
}

func TestPgbenchsFirstTransactionsDontCount(t *testing.T) {
	p := &pgbench{clients: 2, unit: 10, first: burst{each: 1, took: time.Second, cpu: time.Second}}
	got := p.sample(burst{each: 5, took: 3 * time.Second, cpu: 1800 * time.Millisecond})
	if want := (measure.Sample{Rate: 40, Mean: 500_000, CPU: 10_000, Connections: 2}); got != want {
		t.Error(got)
	}
	got = p.sample(burst{each: 5, took: time.Second / 2, cpu: time.Second})
	if want := (measure.Sample{Rate: 200, Mean: 100_000, CPU: 10_000, Connections: 2}); got != want {
		t.Error(got)
	}
}

func TestAPipelineRepeatsTheScript(t *testing.T) {
	const text = "\\set id ID\n\nselect :id;\n"
	if got := inPipeline(text, 1); got != "\\set id random(1, 10000)\n\nselect :id;\n" {
		t.Error(got)
	}
	want := "\\set first 1 + 2 * random(0, 4999)\n\\startpipeline\n\\set id :first + 0\nselect :id;\n\\set id :first + 1\nselect :id;\n\\endpipeline\n"
	if got := inPipeline(text, 2); got != want {
		t.Error(got)
	}
}
