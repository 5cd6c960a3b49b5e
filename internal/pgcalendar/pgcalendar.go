// Package pgcalendar knows which times PostgreSQL can store. pgtype would send any other time as a
// wrong one, because the number of its microseconds, or days, overflows.
package pgcalendar

import (
	"fmt"
	"time"
)

var (
	first         = time.Date(-4713, time.November, 24, 0, 0, 0, 0, time.UTC) // of all types
	endTimestamps = time.Date(294277, time.January, 1, 0, 0, 0, 0, time.UTC)
	endDates      = time.Date(5874898, time.January, 1, 0, 0, 0, 0, time.UTC)
)

// Timestamp returns an error for a time that timestamp and timestamptz can't store.
func Timestamp(t time.Time) error {
	if t.Before(first) || !t.Before(endTimestamps) {
		return fmt.Errorf("the year %d is beyond what a timestamp can be: 24 November 4714 BC to 294276", t.Year())
	}
	return nil
}

// Date returns an error for a time whose day date can't store.
func Date(t time.Time) error {
	if day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC); day.Before(first) || !day.Before(endDates) {
		return fmt.Errorf("the year %d is beyond what a date can be: 24 November 4714 BC to 5874897", t.Year())
	}
	return nil
}
