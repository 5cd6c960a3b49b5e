package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheDialogueGoesOnWhileTheUserInterfaceIsAlive(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `click: delete
  delete the table?
frame 1
click: yes
  the answer is yes
  and its backups?
frame 2
click: no
  the answer is no
  better not
frame 3
`, out.String())
}
