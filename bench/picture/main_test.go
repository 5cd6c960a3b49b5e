package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestThePictureHasEachResult(t *testing.T) {
	type record struct {
		Workload   string             `json:"workload"`
		Callers    int                `json:"callers"`
		RoundTrip  time.Duration      `json:"round_trip_ns"`
		Contestant string             `json:"contestant"`
		Median     map[string]float64 `json:"median"`
	}
	var all []record
	for _, roundTrip := range []time.Duration{0, time.Millisecond} {
		for i, s := range shown {
			all = append(all, record{"point select", 256, roundTrip, s.contestant, map[string]float64{"rate": float64(12_340 * (i + 1))}})
		}
	}
	from, to := filepath.Join(t.TempDir(), "pg.json"), filepath.Join(t.TempDir(), "gain.svg")
	write := func(records []record) {
		text, err := json.Marshal(map[string]any{"records": records})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(from, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(all)
	if err := draw(from, to); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"pgxpool of 16", "repaint, one loop", "1 ms away:", "12,300, 1.0 ×", "49,400, 4.0 ×"} {
		if !strings.Contains(string(svg), text) {
			t.Errorf("the picture lacks %q", text)
		}
	}
	write(all[1:])
	if err := draw(from, to); err == nil || !strings.Contains(err.Error(), "7 of the 8 results") {
		t.Errorf("a result is missing, but the error is %v", err)
	}
}
