package greenlet

import (
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Each suspended greenlet has one of both. The next larger size classes have 16 bytes more.
func TestGreenletsFitIntoTheirSizeClasses(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("pointers are smaller here")
	}
	require.LessOrEqual(t, unsafe.Sizeof(worker{}), uintptr(96))
	require.LessOrEqual(t, unsafe.Sizeof(held{}), uintptr(80))
}
