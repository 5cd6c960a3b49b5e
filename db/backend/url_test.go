package backend_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db/backend"
)

func TestURLParts(t *testing.T) {
	for text, want := range map[string]backend.URL{
		"sqlite://":                   {Dialect: "sqlite"},
		"sqlite:///:memory:":          {Dialect: "sqlite", Database: ":memory:"},
		"sqlite://:memory:":           {Dialect: "sqlite", Database: ":memory:"},
		"sqlite://:memory:?mode=rwc":  {Dialect: "sqlite", Database: ":memory:", Options: url.Values{"mode": {"rwc"}}},
		"sqlite:///rel/file.db":       {Dialect: "sqlite", Database: "rel/file.db"},
		"sqlite:////abs/file.db":      {Dialect: "sqlite", Database: "/abs/file.db"},
		"sqlite:///a%3Fb%25.db?x=%26": {Dialect: "sqlite", Database: "a?b%.db", Options: url.Values{"x": {"&"}}},
		"sqlite+x:///f?a=1&a=2&b":     {Dialect: "sqlite", Driver: "x", Database: "f", Options: url.Values{"a": {"1", "2"}, "b": {""}}},
		"pg://u:p%2F%40@h:5/d":        {Dialect: "pg", User: "u", Password: "p/@", Hosts: []backend.Host{{"h", "5"}}, Database: "d"},
		"pg://u:p@ss:word@h/d":        {Dialect: "pg", User: "u", Password: "p@ss:word", Hosts: []backend.Host{{"h", ""}}, Database: "d"},
		"pg://a:1,b,[::1]:2,[::2]/d":  {Dialect: "pg", Hosts: []backend.Host{{"a", "1"}, {"b", ""}, {"::1", "2"}, {"::2", ""}}, Database: "d"},
		"pg://u@":                     {Dialect: "pg", User: "u"},
		"pg://%2Ftmp/d":               {Dialect: "pg", Hosts: []backend.Host{{"/tmp", ""}}, Database: "d"},
	} {
		u, err := backend.ParseURL(text)
		require.NoError(t, err, text)
		if want.Options == nil {
			want.Options = url.Values{}
		}
		require.Equal(t, &want, u, text)

		again, err := backend.ParseURL(u.Reveal())
		require.NoError(t, err, text)
		require.Equal(t, u, again, "%s printed and read again", text)
	}
}

func TestPasswordIsHiddenWhereverAURLIsPrinted(t *testing.T) {
	u, err := backend.ParseURL("pg://u:hunter2@h/d?sslpassword=hunter2&application_name=x")
	require.NoError(t, err)
	require.Equal(t, "pg://u:***@h/d?application_name=x&sslpassword=***", u.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, u), "hunter2", verb)
		require.Contains(t, fmt.Sprintf(verb, u), "***", verb)
	}
	require.Contains(t, u.Reveal(), "hunter2")
}

func TestErrorsOfAURLNeverShowIt(t *testing.T) {
	for _, text := range []string{
		"hunter2", "://hunter2", "+://hunter2", "a+://hunter2", "hunter2:x@://", "pg://u:hunter2%zz@h/d", "pg://u%zz:hunter2@h/d", "pg://u:hunter2@h:port/d",
		"pg://u:hunter2@[::1/d", "pg://u:hunter2@[::1]x/d", "pg://u:hunter2@h/%", "pg://u:hunter2@h/d?a=%zz", "pg://u:hunter2@h/d?a;b",
		"pg://u:hunter2@%zz/d",
	} {
		_, err := backend.ParseURL(text)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "hunter2", text)
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{"sqlite:////a?b=c", "pg://u:p@h:1,[::1]/d?x=%20", "a+b://%", "://", "0://:", "0://a,,b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := backend.ParseURL(text)
		if err != nil {
			return
		}
		again, err := backend.ParseURL(u.Reveal())
		require.NoError(t, err)
		require.Equal(t, u, again)
	})
}

// What other libraries take for the name of a database isn't a URL, or not one that can be meant:
// the error says what to write.
func TestErrorsOfAURLSayWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		"sqlite::memory:":                     "sqlite:// for memory",
		"file::memory:?cache=shared":          "sqlite:// for memory",
		":memory:":                            "sqlite:// for memory",
		"app.db":                              "sqlite:///file.db",
		`sqlite://C:\data\app.db`:             "third slash",
		"user:pw@tcp(localhost:3306)/app":     "mysql://user@host:3306/name",
		"mysql://u:pw@tcp(localhost:3306)/a":  "without tcp( )",
		"mysql://u:pw@unix(/run/my.sock:1)/a": "tcp( )",
		"host=localhost user=app dbname=app":  "postgres://user@host/name",
	} {
		_, err := backend.ParseURL(text)
		require.ErrorContains(t, err, want, text)
	}
}
