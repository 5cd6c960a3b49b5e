package explore

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Postgres is a PostgreSQL server. The user needs no special rights.
type Postgres struct{ Query Query }

// Waiting implements [Server].
func (p *Postgres) Waiting(ctx context.Context, sessions []int64) (map[int64][]int64, error) {
	rows, err := p.Query(ctx, fmt.Sprintf(
		"select pid::text, array_to_string(pg_blocking_pids(pid), ',') from unnest('{%s}'::int[]) pid", numbers(sessions)))
	if err != nil {
		return nil, fmt.Errorf("asking PostgreSQL which sessions wait for a lock: %w", err)
	}
	all := map[int64][]int64{}
	for _, row := range rows {
		if session := number(row[0]); row[1] != "" {
			for pid := range strings.SplitSeq(row[1], ",") {
				all[session] = append(all[session], number(pid)) // 0 is a prepared transaction
			}
		}
	}
	return all, nil
}

// MySQL is a MySQL server, from version 8 on. The user needs the right to read performance_schema.
type MySQL struct{ Query Query }

// Waiting implements [Server].
func (m *MySQL) Waiting(ctx context.Context, sessions []int64) (map[int64][]int64, error) {
	rows, err := m.Query(ctx, "select r.processlist_id, b.processlist_id from performance_schema.data_lock_waits w"+
		" join performance_schema.threads r on r.thread_id = w.requesting_thread_id"+
		" join performance_schema.threads b on b.thread_id = w.blocking_thread_id")
	if err != nil {
		return nil, fmt.Errorf("asking MySQL which sessions wait for a lock (the user needs SELECT on performance_schema): %w", err)
	}
	return pairs(rows, sessions), nil
}

// MariaDB is a MariaDB server. The user needs the PROCESS privilege.
//
// Its tables of lock waits are copies that may be 100 ms old, and reading them keeps them from
// being renewed. So the monitor says which sessions wait. The tables say for which sessions they
// wait, where there is time.
type MariaDB struct{ Query Query }

var (
	transactions = regexp.MustCompile(`(?m)^---TRANSACTION `)
	thread       = regexp.MustCompile(`(?:MySQL|MariaDB) thread id (\d+)`)
)

const needProcess = "asking MariaDB which sessions wait for a lock (the user needs the PROCESS privilege): %w"

// Waiting implements [Server]. It doesn't say which sessions they wait for.
func (m *MariaDB) Waiting(ctx context.Context, sessions []int64) (map[int64][]int64, error) {
	waiting := map[int64][]int64{}
	note := func(id string) {
		if n := number(id); slices.Contains(sessions, n) {
			waiting[n] = nil
		}
	}
	rows, err := m.Query(ctx, "show engine innodb status")
	if err != nil {
		return nil, fmt.Errorf(needProcess, err)
	}
	for _, row := range rows {
		for _, trx := range transactions.Split(row[len(row)-1], -1)[1:] {
			if found := thread.FindStringSubmatch(trx); found != nil && strings.Contains(trx, "LOCK WAIT") {
				note(found[1])
			}
		}
	}
	rows, err = m.Query(ctx, "select id from information_schema.processlist where state like 'Waiting for%lock%'")
	if err != nil {
		return nil, fmt.Errorf(needProcess, err)
	}
	for _, row := range rows {
		note(row[0])
	}
	return waiting, nil
}

// cacheTime is how long InnoDB keeps the copies in information_schema. It begins anew with each
// read.
const cacheTime = 110 * time.Millisecond

// Holders implements [Teller].
func (m *MariaDB) Holders(ctx context.Context, sessions []int64) (map[int64][]int64, error) {
	time.Sleep(cacheTime)
	rows, err := m.Query(ctx, "select r.trx_mysql_thread_id, b.trx_mysql_thread_id from information_schema.innodb_lock_waits w"+
		" join information_schema.innodb_trx r on r.trx_id = w.requesting_trx_id"+
		" join information_schema.innodb_trx b on b.trx_id = w.blocking_trx_id")
	if err != nil {
		return nil, fmt.Errorf(needProcess, err)
	}
	return pairs(rows, sessions), nil
}

// pairs reads rows that each have a waiting session and the session that it waits for.
func pairs(rows [][]string, sessions []int64) map[int64][]int64 {
	all := map[int64][]int64{}
	for _, row := range rows {
		waits, blocks := number(row[0]), number(row[1])
		if slices.Contains(sessions, waits) && !slices.Contains(all[waits], blocks) {
			all[waits] = append(all[waits], blocks)
		}
	}
	return all
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // 0 is no session
	return n
}

func numbers(all []int64) string {
	var b strings.Builder
	for i, n := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	return b.String()
}

// Gone implements [Server].
func (p *Postgres) Gone(ctx context.Context, session int64) (bool, error) {
	return none(p.Query(ctx, fmt.Sprintf("select pid::text from pg_stat_activity where pid = %d", session)))
}

// Gone implements [Server].
func (m *MySQL) Gone(ctx context.Context, session int64) (bool, error) {
	return goneMySQL(ctx, m.Query, session)
}

// Gone implements [Server].
func (m *MariaDB) Gone(ctx context.Context, session int64) (bool, error) {
	return goneMySQL(ctx, m.Query, session)
}

func goneMySQL(ctx context.Context, query Query, session int64) (bool, error) {
	return none(query(ctx, fmt.Sprintf("select id from information_schema.processlist where id = %d", session)))
}

func none(rows [][]string, err error) (bool, error) { return len(rows) == 0, err }
