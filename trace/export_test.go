package trace

// Held returns how many actors the trace holds.
func Held(t *Trace) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}
