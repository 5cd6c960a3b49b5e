package scanning

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzParseTime(f *testing.F) {
	f.Add("2026-03-04 12:00:00.000005+00:00")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := parseTime(text); err == nil {
			require.Equal(t, time.UTC, got.Location())
		}
	})
}
