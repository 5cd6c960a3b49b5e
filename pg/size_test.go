package pg

import (
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Each statement allocates a query. With the header that the allocator puts before it, it fits into
// a class of 896 bytes; the next one has 128 more.
func TestAQueryFitsIntoItsSizeClass(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("pointers are smaller here")
	}
	require.LessOrEqual(t, unsafe.Sizeof(query{}), uintptr(896-8))
}
