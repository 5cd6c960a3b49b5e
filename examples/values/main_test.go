package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutput(t *testing.T) {
	var out strings.Builder
	require.NoError(t, exchange(&out))
	require.Equal(t, `foo: starting
main: 1
foo: 2
main: bar
main: done
`, out.String())
}
