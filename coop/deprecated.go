package coop

// WithCache is [Cached].
//
// Deprecated: use Cached.
func WithCache() LoaderOption { return Cached() }
