package db_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

func TestWhatADialectRefusesIsMisuse(t *testing.T) {
	for url, says := range map[string]string{
		"sqlite://?journal_mode=x":       "journal_mode=x",
		"sqlite://user:secret@host/x":    "sqlite:///relative.db",
		"mysql://u:secret@h/d?tls=maybe": "off, preferred",
		"mysql+odbc://u:secret@h/d":      "no driver",
	} {
		_, err := db.Open(context.Background(), url)
		require.ErrorIs(t, err, db.ErrMisuse, url)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := db.Open(context.Background(), "sqlite:///"+t.TempDir()+"/nothing/x.db")
	require.ErrorContains(t, err, "the directory must exist")
}
