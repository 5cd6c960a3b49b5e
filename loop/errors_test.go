package loop_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

func TestPanicErrorTellsValueAndStack(t *testing.T) {
	err := &loop.PanicError{Value: "oops", Stack: []byte("goroutine 1 [running]:")}
	require.EqualError(t, err, "panic: oops\n\ngoroutine 1 [running]:")
	require.NoError(t, errors.Unwrap(err), "the value is no error")
}

func TestPanicErrorShowsTheErrorThatWasPanickedWith(t *testing.T) {
	err := error(&loop.PanicError{Value: fmt.Errorf("read: %w", &fs.PathError{Op: "open", Path: "x", Err: errTest})})
	require.ErrorIs(t, err, errTest)
	var path *fs.PathError
	require.ErrorAs(t, err, &path)
	require.Equal(t, "x", path.Path)
}
