package sqltext_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/sqltext"
)

func TestWhatOnlyComputes(t *testing.T) {
	const none, sets, calls = sqltext.Effects(0), sqltext.Sets, sqltext.CallsCode
	for text, want := range map[string]sqltext.Effects{
		"select id, name from t where id = $1 and kind in ($2, $3)":                none,
		"select count(*), sum(x) filter (where x > 0) from t group by (a), (b)":    none,
		"select pg_catalog.now(), \"lower\"(name), COALESCE(a, b) from t":          none,
		"select x::numeric(10, 2), cast(x as varchar(3)), array(select 1) from t":  none,
		"with x as (select 1) select * from x where exists (select 1)":             none,
		"select * from (values (1), (2)) as v(a) join lateral (select 1) w on (a)": none,
		"select row_number() over (partition by a order by (b)) from t":            none,
		"explain analyze select upper('x')":                                        none,
		"show work_mem":                                                            none,
		"select mine(1)":                                                           calls,
		"select app.lower('x')":                                                    calls,
		"select \"Lower\"('x')":                                                    calls,
		"select pg_advisory_xact_lock(1)":                                          calls,
		"select pg_notify('a', 'b')":                                               calls,
		"select nextval('s')":                                                      calls,
		"select txid_current()":                                                    calls,
		"select dblink_exec('x', 'y')":                                             calls,
		"explain analyze select mine(1)":                                           calls,
		"explain select mine(1)":                                                   none,
		"select set_config('a.b', 'c', true)":                                      sets | calls,
		"set a.b = 'c'":                                                            sets,
		"set local a.b = 'c'":                                                      sets,
		"reset all":                                                                sets,
		"discard all":                                                              sets,
		"update pg_settings set setting = 'x'":                                     sets,
	} {
		for st := range sqltext.PostgreSQL.Statements(text) {
			got := sqltext.PostgreSQL.Classify(text, st).Effects & (sets | calls)
			require.Equal(t, want, got, text)
		}
	}
}
