package coop

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// KeyErrors are errors of single keys. A [Loader]'s batch function and [Loader.LoadMany] return
// them if some keys have failed and others have not. errors.Is and errors.As see each of the
// errors.
type KeyErrors[K comparable] map[K]error

// Error names some of the keys, with their errors.
func (e KeyErrors[K]) Error() string {
	keys := e.sorted()
	texts := make([]string, 0, len(keys))
	for _, k := range keys {
		if len(texts) == 3 {
			texts = append(texts, fmt.Sprintf("and %d more", len(keys)-3))
			break
		}
		texts = append(texts, fmt.Sprintf("key %s: %v", k.text, e[k.key]))
	}
	return "coop: " + strings.Join(texts, "; ")
}

// Unwrap returns the errors in the order of the keys' texts.
func (e KeyErrors[K]) Unwrap() []error {
	keys := e.sorted()
	errs := make([]error, len(keys))
	for i, k := range keys {
		errs[i] = e[k.key]
	}
	return errs
}

type keyText[K comparable] struct {
	key  K
	text string
}

func (e KeyErrors[K]) sorted() []keyText[K] {
	keys := make([]keyText[K], 0, len(e))
	for k, err := range e {
		if err != nil {
			keys = append(keys, keyText[K]{k, fmt.Sprint(k)})
		}
	}
	slices.SortFunc(keys, func(a, b keyText[K]) int {
		return cmp.Or(cmp.Compare(len(a.text), len(b.text)), strings.Compare(a.text, b.text)) // numbers, too, come in order
	})
	return keys
}

// A notFoundError makes its text only when Error is called.
type notFoundError[K comparable] struct{ key K }

func (e *notFoundError[K]) Error() string { return fmt.Sprintf("%v: %v", ErrNotFound, e.key) }
func (e *notFoundError[K]) Unwrap() error { return ErrNotFound }
