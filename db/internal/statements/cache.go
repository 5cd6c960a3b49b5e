package statements

import (
	"github.com/seed1239206e/repaint/internal/cache"
)

// Cache keeps parsed statements by their sources.
type Cache struct {
	*cache.SecondChance[string, *Statement]
}

// NewCache returns a Cache of at most size statements. If size is 0, it keeps none.
func NewCache(size int) Cache {
	return Cache{cache.NewSecondChance[string, *Statement](size)}
}

// longestCached is the length, in bytes, of the longest text worth keeping. A longer text is a
// script or contains data, and won't come again.
const longestCached = 16 << 10

// Put keeps a statement, unless its text is too long.
func (c Cache) Put(st *Statement) {
	if len(st.Source) <= longestCached {
		c.SecondChance.Put(st.Source, st)
	}
}

// NativeCache keeps native statements by their texts and the number of their arguments.
type NativeCache struct {
	*cache.SecondChance[nativeText, *Native]
}

type nativeText struct {
	text string
	args int
}

// NewNativeCache returns a NativeCache of at most size statements. If size is 0, it keeps none.
func NewNativeCache(size int) NativeCache {
	return NativeCache{cache.NewSecondChance[nativeText, *Native](size)}
}

// Get returns the statement that Put stored for the text and this number of arguments.
func (c NativeCache) Get(text string, args int) (*Native, bool) {
	return c.SecondChance.Get(nativeText{text, args})
}

// Put keeps a statement, unless its text is too long. st may be nil, for a text without a
// statement.
func (c NativeCache) Put(text string, args int, st *Native) {
	if len(text) <= longestCached {
		c.SecondChance.Put(nativeText{text, args}, st)
	}
}
