package dbconform

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

func whole() Subject {
	return Subject{
		Open: func(testing.TB, context.Context, ...db.Option) (*db.Engine, error) { return nil, nil },
		URL:  "sqlite://",
		Lacks: map[string]string{
			"Cut": "no server", "Impatient": "one user", "Reader": "no users", "Network": "none", "SlowQuery": "none", "Settings": "none",
		},
		Capabilities: Capabilities{Precision: time.Second, Returning: true},
	}
}

func TestAMissingPartNeedsAReason(t *testing.T) {
	s := whole()
	require.NoError(t, newLedger(&s).declared(&s))

	for _, part := range []string{"Cut", "Impatient", "Reader", "Network", "SlowQuery", "Settings"} {
		s := whole()
		delete(s.Lacks, part)
		require.ErrorContains(t, newLedger(&s).declared(&s), part+" is missing")
		s = whole()
		s.Lacks[part] = ""
		require.ErrorContains(t, newLedger(&s).declared(&s), part+" is missing")
	}

	s = whole()
	s.URL = ""
	require.ErrorContains(t, newLedger(&s).declared(&s), "URL is missing")
	s.Lacks["URL"] = "opened on a *sql.DB"
	require.NoError(t, newLedger(&s).declared(&s))

	s = whole()
	s.SlowQuery = "select sleep(100)"
	require.ErrorContains(t, newLedger(&s).declared(&s), "SlowQuery is set, and listed in Lacks")

	s = whole()
	s.Lacks["Returning"] = "a capability is false, and needs no reason"
	require.ErrorContains(t, newLedger(&s).declared(&s), `"Returning"`)

	s = whole()
	s.Lacks["savepoints"] = "there are none"
	s.Lacks["locks/no such rule"] = "there is none"
	require.ErrorContains(t, newLedger(&s).declared(&s), `"locks/no such rule"`)
	require.NotContains(t, newLedger(&s).declared(&s).Error(), `"savepoints"`)

	s = whole()
	s.Settings = "set a = 1"
	delete(s.Lacks, "Settings")
	require.ErrorContains(t, newLedger(&s).declared(&s), "go together")
}

func TestACapabilityThatNoCaseExercisesIsFound(t *testing.T) {
	s := whole()
	s.Stream = true
	l := newLedger(&s)
	require.False(t, l.has("UpdateReturning"))
	require.True(t, l.has("URL"))
	require.True(t, l.has("Stream"))
	require.Equal(t, []string{"Returning"}, l.unused())
	require.True(t, l.has("Returning"))
	require.Empty(t, l.unused())
	require.Panics(t, func() { l.has("NoSuchPart") })
}

func TestACaseSkipsWithTheReasonForWhatIsMissing(t *testing.T) {
	s := whole()
	ran, skipped := false, false
	t.Run("case", func(t *testing.T) {
		c := &run{T: t, Subject: &s, ledger: newLedger(&s)}
		defer func() { skipped = t.Skipped() }()
		c.needs("URL")
		c.unless("OneConn")
		ran = true
		c.needs("Reader")
		t.Error("went on")
	})
	require.True(t, ran)
	require.True(t, skipped)
}
