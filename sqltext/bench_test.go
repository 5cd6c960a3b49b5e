package sqltext_test

import (
	"testing"

	"github.com/seed1239206e/repaint/sqltext"
)

var benchTexts = map[string]string{
	"point":  "select id, number from world where id = $1",
	"insert": "insert into orders (id, customer_id, total, created_at) values ($1, $2, $3, now()) returning id",
	"join": "SELECT u.id, u.name, count(o.id) AS orders, coalesce(sum(o.total), 0) FROM users u LEFT JOIN orders o ON o.user_id = u.id " +
		"WHERE u.created_at > '2020-01-01' AND lower(u.email) LIKE '%@x.org' GROUP BY u.id, u.name ORDER BY 3 DESC LIMIT 10",
}

// BenchmarkClassify measures what a driver does with a text that it doesn't know.
func BenchmarkClassify(b *testing.B) {
	for name, text := range benchTexts {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for st := range sqltext.PostgreSQL.Statements(text) {
					sqltext.PostgreSQL.Classify(text, st)
				}
			}
		})
	}
}

func TestClassifyDoesNotAllocate(t *testing.T) {
	for name, text := range benchTexts {
		if n := testing.AllocsPerRun(10, func() {
			for st := range sqltext.PostgreSQL.Statements(text) {
				sqltext.PostgreSQL.Classify(text, st)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
