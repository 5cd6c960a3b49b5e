package scanning

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db/internal/telling"
)

// timeLayouts are the forms in which databases without a type for times keep them as text. A time
// without a zone is in UTC.
var timeLayouts = [...]string{
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02",
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("text %s is no time", telling.Value(text))
}

// parseClock reads a time of day, or a duration, as databases write it: hh:mm:ss.ffffff. There may
// be more hours, a sign, and a number of days before it, each of 24 hours: 2 days -01:00:00. Months
// have no length.
func parseClock(text string) (time.Duration, error) {
	bad := fmt.Errorf("text %s is no time such as 12:34:56", telling.Value(text))
	count, rest, ok := strings.Cut(text, " day")
	if !ok {
		return parseHours(text, bad)
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n > maxDays || n < -maxDays {
		return 0, bad
	}
	days := time.Duration(n) * 24 * time.Hour
	if rest = strings.TrimPrefix(rest, "s"); rest == "" {
		return days, nil
	}
	rest, ok = strings.CutPrefix(rest, " ")
	d, err := parseHours(strings.TrimPrefix(rest, "+"), bad)
	if sum := days + d; ok && err == nil && (sum > days) == (d > 0) {
		return sum, nil
	}
	return 0, bad
}

// These are the longest times that a time.Duration can hold.
const (
	maxDays  = int64(math.MaxInt64 / (24 * time.Hour))
	maxHours = uint64(math.MaxInt64/time.Hour) - 1
)

func parseHours(text string, bad error) (time.Duration, error) {
	digits, negative := strings.CutPrefix(text, "-")
	parts := strings.Split(digits, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return 0, bad
	}
	var total time.Duration
	units := [...]time.Duration{time.Hour, time.Minute, time.Second}
	for i, part := range parts {
		if i == 2 {
			whole, fraction, _ := strings.Cut(part, ".")
			if len(fraction) > 9 {
				return 0, bad
			}
			nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
			if err != nil {
				return 0, bad
			}
			total += time.Duration(nanos)
			part = whole
		}
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || i > 0 && n > 59 || n > maxHours {
			return 0, bad
		}
		total += time.Duration(n) * units[i]
	}
	if negative {
		total = -total
	}
	return total, nil
}
