package backend

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseBool parses the value of a URL option that is on or off: on, true, yes, 1 or an empty value,
// and off, false, no or 0, in any case. Any other value is an error.
func ParseBool(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "1", "true", "on", "yes", "":
		return true, nil
	case "0", "false", "off", "no":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither on nor off", value)
}

// ParseDuration parses the value of a URL option that is a duration: 1m30s, or a number of seconds.
// A negative duration is an error, as is any other text.
func ParseDuration(value string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is neither a duration such as 1m30s nor a number of seconds", value)
	}
	return d, nil
}
