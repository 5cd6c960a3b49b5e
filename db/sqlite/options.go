package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// options are the options of a URL.
type options struct {
	busyTimeout time.Duration
	journalMode string // "" leaves the mode unchanged
	mustJournal bool   // the URL asks for the mode, so another one is an error
	pragmas     []string
	mode        string
	immutable   bool
}

func defaultOptions() options {
	return options{busyTimeout: 5 * time.Second, journalMode: "wal", pragmas: []string{"foreign_keys=on"}}
}

// Options returns the names of the URL's options.
func (Dialect) Options() []string {
	return []string{"busy_timeout", "journal_mode", "foreign_keys", "synchronous", "cache_size", "mmap_size", "temp_store", "mode", "immutable"}
}

var errBad = errors.New("not a value of this option")

// readOptions reads the options of a URL. Their values become part of SQL, so it accepts only known
// ones.
func readOptions(u *backend.URL) (options, error) {
	o := defaultOptions()
	o.pragmas = nil
	on, err := true, error(nil)
	fail := func(name string, err error, values ...string) (options, error) {
		text := fmt.Sprintf("the option %s=%s: %v", name, u.Option(name), err)
		if len(values) > 0 {
			text += "; it takes " + strings.Join(values, ", ")
		}
		return o, errors.New(text)
	}
	if u.Options.Has("busy_timeout") {
		if o.busyTimeout, err = backend.ParseDuration(u.Option("busy_timeout")); err != nil {
			return fail("busy_timeout", err)
		}
	}
	if u.Options.Has("foreign_keys") {
		if on, err = backend.ParseBool(u.Option("foreign_keys")); err != nil {
			return fail("foreign_keys", err)
		}
	}
	if on {
		o.pragmas = append(o.pragmas, "foreign_keys=on")
	} else {
		o.pragmas = append(o.pragmas, "foreign_keys=off")
	}
	for _, c := range []struct {
		name   string
		values []string
	}{
		{"journal_mode", []string{"delete", "truncate", "persist", "memory", "wal", "off"}},
		{"synchronous", []string{"off", "normal", "full", "extra"}},
		{"temp_store", []string{"default", "file", "memory"}},
		{"mode", []string{"ro", "rw", "rwc"}},
	} {
		if !u.Options.Has(c.name) {
			continue
		}
		value := strings.ToLower(u.Option(c.name))
		if !slices.Contains(c.values, value) {
			return fail(c.name, errBad, c.values...)
		}
		switch c.name {
		case "journal_mode":
			o.journalMode, o.mustJournal = value, true
		case "mode":
			o.mode = value
		default:
			o.pragmas = append(o.pragmas, c.name+"="+value)
		}
	}
	for _, name := range []string{"cache_size", "mmap_size"} {
		if !u.Options.Has(name) {
			continue
		}
		n, err := strconv.ParseInt(u.Option(name), 10, 64)
		if err != nil {
			return fail(name, errBad, "a whole number")
		}
		o.pragmas = append(o.pragmas, fmt.Sprintf("%s=%d", name, n))
	}
	if u.Options.Has("immutable") {
		if o.immutable, err = backend.ParseBool(u.Option("immutable")); err != nil {
			return fail("immutable", err)
		}
		switch {
		case !o.immutable:
		case o.mode != "" && o.mode != "ro":
			return fail("immutable", errors.New("a file that doesn't change can't be written, as mode="+o.mode+" asks for"))
		case o.mustJournal:
			return fail("immutable", errors.New("a file that doesn't change needs no journal_mode"))
		case isMemory(u):
			return fail("immutable", errors.New("a database in memory has no file"))
		default:
			o.mode = "ro"
		}
	}
	if o.mode == "ro" && !o.mustJournal {
		o.journalMode = "" // setting the mode would write
	}
	return o, nil
}
