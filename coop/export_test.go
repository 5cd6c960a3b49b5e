package coop

import "sync"

// These return the numbers of waiting callers, for tests in which a caller has to wait.

func (m *Mutex) Waiting() int             { return lineLen(&m.mu, &m.line) }
func (m *RWMutex) Waiting() int           { return lineLen(&m.permits.mu, &m.permits.line) }
func (s *Semaphore) Waiting() int         { return lineLen(&s.permits.mu, &s.permits.line) }
func (c *Cond) Waiting() int              { return lineLen(&c.mu, &c.line) }
func (q *Queue[T]) WaitingGetters() int   { return lineLen(&q.mu, &q.getters) }
func (q *Queue[T]) WaitingPutters() int   { return lineLen(&q.mu, &q.putters) }
func (t *Ticker) Waiting() int            { return t.turn.Waiting() }
func (o *Once) Waiting() int              { return o.flights.waitingFor(struct{}{}) }
func (s *Shared[K, V]) Waiting(key K) int { return s.flights.waitingFor(key) }
func (s *Shared[K, V]) Flights() int      { return len(s.flights.byKey) }
func lineLen[T any](mu *sync.Mutex, l *line[T]) int {
	mu.Lock()
	defer mu.Unlock()
	return l.len
}

func (t *flights[K, V]) waitingFor(key K) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.byKey[key]; f != nil {
		return f.waiting
	}
	return 0
}

// Locked reports whether the mutex is locked.
func (m *Mutex) Locked() bool { return m.state.Load() != free }

// Waiting returns the number of callers that wait for a key in any room.
func (l *Loader[K, V]) Waiting(key K) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rooms {
		if c := r.calls[key]; c != nil {
			n += c.waiting
		}
	}
	return n
}

// Rooms returns the number of rooms with work under way.
func (l *Loader[K, V]) Rooms() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.rooms)
}

// Len returns the number of values.
func (l *Local[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.values)
}
