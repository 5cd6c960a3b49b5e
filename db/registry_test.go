package db

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The package's own tests import SQLite, so the registry is emptied for this.
func TestAMissingImportIsNamed(t *testing.T) {
	registryMu.Lock()
	before := registry
	registry = map[string]Dialect{}
	registryMu.Unlock()
	defer func() {
		registryMu.Lock()
		registry = before
		registryMu.Unlock()
	}()

	_, err := dialectOf("sqlite")
	require.ErrorIs(t, err, ErrUnknownDialect)
	require.ErrorContains(t, err, `no dialect is registered as "sqlite"; there are none; import _ "github.com/seed1239206e/repaint/db/sqlite"`)
	Register(question)
	_, err = dialectOf("other")
	require.ErrorContains(t, err, `no dialect is registered as "other"; there are marks`)
	d, err := dialectOf("marks")
	require.NoError(t, err)
	require.Equal(t, question, d)
}
