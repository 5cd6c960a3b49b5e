package coop_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/coop"
)

func TestTextOfKeyErrors(t *testing.T) {
	errs := coop.KeyErrors[int]{}
	for k := range 12 {
		errs[k] = errors.New("e" + strings.Repeat("!", k))
	}
	require.Equal(t, "coop: key 0: e; key 1: e!; key 2: e!!; and 9 more", errs.Error())
	all := errs.Unwrap()
	require.Len(t, all, 12)
	require.EqualError(t, all[11], "e!!!!!!!!!!!")
	for k, err := range errs {
		require.ErrorIs(t, errs, err, k)
	}
	require.Len(t, coop.KeyErrors[int]{1: nil, 2: errBoom}.Unwrap(), 1)
}
