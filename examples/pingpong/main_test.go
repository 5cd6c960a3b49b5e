package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutputAndValue(t *testing.T) {
	var out strings.Builder
	v, err := play(&out)
	require.NoError(t, err)
	require.Equal(t, "test1 done", v)
	require.Equal(t, `[gr1] main  -> test1
[gr2] test1 -> test2
[gr1] test1 <- test2
`, out.String())
}
