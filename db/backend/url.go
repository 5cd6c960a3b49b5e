package backend

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// URL says which database to open and how:
//
//	dialect[+driver]://user:password@host:port,host:port/database?option=value
//
// The name of an SQLite file begins after the third slash, so an absolute name has four:
// sqlite:///relative.db, sqlite:////absolute.db. Only the dialect is required. Special
// characters in a user, password, database or option are percent-encoded.
type URL struct {
	Dialect  string // "sqlite"; never empty
	Driver   string // one of the dialect's drivers; "" is its default
	User     string
	Password string
	Hosts    []Host
	Database string // a name or, for SQLite, a path
	Options  url.Values
}

// Host is a server's address in a [URL]. Port is "" if the URL has none.
type Host struct{ Name, Port string }

// memory is SQLite's name for a database in memory.
const memory = ":memory:"

// hidden stands for a secret in printed URLs.
const hidden = "***"

// ParseURL parses a URL. Its errors never show the URL, because the place of the password isn't
// known in a text that can't be parsed.
func ParseURL(text string) (*URL, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	u := &URL{}
	var hasDriver bool
	u.Dialect, u.Driver, hasDriver = strings.Cut(scheme, "+")
	if !ok || !isName(u.Dialect) || hasDriver && !isName(u.Driver) {
		return nil, errors.New(`db: a database URL begins with its dialect and "://", as in sqlite:///file.db, sqlite:// for memory, mysql://user@host:3306/name or postgres://user@host/name`)
	}
	fail := func(part string, err error) (*URL, error) {
		return nil, fmt.Errorf("db: can't parse the %s of the %s URL: %w", part, u.Dialect, unquoteCause(err))
	}

	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if authority == memory && path == "" { // a common spelling, which looks like a port
		authority, path = "", memory
	}
	// The last @ ends the user information, so a password may contain one.
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		authority = authority[at+1:]
		var err error
		if u.User, err = url.PathUnescape(user); err != nil {
			return fail("user", err)
		}
		if u.Password, err = url.PathUnescape(password); err != nil {
			return fail("password", err)
		}
	}
	if authority != "" {
		for host := range strings.SplitSeq(authority, ",") {
			h, err := parseHost(host)
			if err != nil {
				return fail("host", err)
			}
			if h != (Host{}) {
				u.Hosts = append(u.Hosts, h)
			}
		}
	}
	var err error
	if u.Database, err = url.PathUnescape(path); err != nil {
		return fail("database", err)
	}
	if u.Options, err = url.ParseQuery(query); err != nil {
		return fail("options", err)
	}
	return u, nil
}

// String returns the URL with its password, and options that look like secrets, replaced by ***.
func (u URL) String() string { return u.render(true) }

// GoString returns Go code without the password, for %#v.
func (u URL) GoString() string { return fmt.Sprintf("db.ParseURL(%q)", u.String()) }

// Format implements fmt.Formatter, and keeps the password out of every verb.
func (u URL) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'v' && f.Flag('#'):
		fmt.Fprint(f, u.GoString())
	case verb == 'q':
		fmt.Fprintf(f, "%q", u.String())
	default:
		fmt.Fprint(f, u.String())
	}
}

// Reveal returns the URL with its password and all options. Don't print it.
func (u URL) Reveal() string { return u.render(false) }

// Option returns the value of an option, or "" if the URL doesn't have it. If it is given several
// times, the last value counts.
func (u URL) Option(name string) string {
	if all := u.Options[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func (u URL) render(hide bool) string {
	var b strings.Builder
	b.WriteString(u.Dialect)
	if u.Driver != "" {
		b.WriteString("+" + u.Driver)
	}
	b.WriteString("://")
	if u.User != "" || u.Password != "" {
		b.WriteString(escape(u.User, ""))
		if u.Password != "" {
			b.WriteByte(':')
			if hide {
				b.WriteString(hidden)
			} else {
				b.WriteString(escape(u.Password, ""))
			}
		}
		b.WriteByte('@')
	}
	for i, h := range u.Hosts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(h.String())
	}
	if u.Database != "" {
		b.WriteByte('/')
		b.WriteString(escape(u.Database, "/:"))
	}
	sep := byte('?')
	for _, name := range slices.Sorted(maps.Keys(u.Options)) {
		for _, value := range u.Options[name] {
			b.WriteByte(sep)
			sep = '&'
			b.WriteString(url.QueryEscape(name) + "=")
			if hide && isSecret(name) {
				b.WriteString(hidden)
			} else {
				b.WriteString(url.QueryEscape(value))
			}
		}
	}
	return b.String()
}

// String returns name:port; an IPv6 address has brackets.
func (h Host) String() string {
	name := escape(h.Name, "")
	if strings.Contains(h.Name, ":") {
		name = "[" + h.Name + "]"
	}
	if h.Port == "" {
		return name
	}
	return name + ":" + h.Port
}

func parseHost(text string) (Host, error) {
	var h Host
	if strings.Contains(text, "(") {
		return h, errors.New("hosts are written host:port, without tcp( ) or unix( ) around them")
	}
	name, port := text, ""
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if name, port, ok = strings.Cut(rest, "]"); !ok {
			return h, errors.New("an IPv6 address lacks its closing bracket")
		}
		if port != "" && !strings.HasPrefix(port, ":") {
			return h, errors.New("only a port may follow an IPv6 address")
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		name, port, _ = strings.Cut(text, ":")
	}
	if strings.Trim(port, "0123456789") != "" {
		return h, errors.New("a port is a number; the name of a file begins after the third slash")
	}
	name, err := url.PathUnescape(name)
	return Host{name, port}, err
}

// escape percent-encodes all characters that are neither unreserved nor in keep.
func escape(s, keep string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("-._~", c) >= 0 || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
}

func isSecret(option string) bool {
	option = strings.ToLower(option)
	for _, mark := range []string{"passw", "secret", "token"} {
		if strings.Contains(option, mark) {
			return true
		}
	}
	return false
}

// unquoteCause removes the text that net/url quotes in its errors.
func unquoteCause(err error) error {
	if e := url.EscapeError(""); errors.As(err, &e) {
		return errors.New("a % must be followed by two hexadecimal digits; write %25 for the sign itself")
	}
	return err
}
