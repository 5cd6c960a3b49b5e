package sqltext_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/sqltext"
)

func ExampleRules_Next() {
	rules := sqltext.Rules{NestedComments: true, DollarQuotes: true}
	text := "select :id, ':no', $$ :no $$ -- :no"
	for t := rules.Next(text, 0); t.Kind != sqltext.End; t = rules.Next(text, t.End) {
		if t.Kind == sqltext.Param {
			fmt.Println(text[t.Start:t.End])
		}
	}
	// Output: :id
}

func ExampleLanguage_Classify() {
	text := "create table temp (a int); create table pg_temp.t (a int); " +
		"explain select pg_advisory_lock(1); explain analyze select pg_advisory_lock(1)"
	for st := range sqltext.PostgreSQL.Statements(text) {
		if v := sqltext.PostgreSQL.Classify(text, st); v.Effects.Any(sqltext.LeavesState) {
			fmt.Println(st.Verb, "leaves something:", v.Cause)
		}
	}
	// Output:
	// create leaves something: CREATE in pg_temp
	// explain leaves something: pg_advisory_lock
}

func ExampleRules_Split() {
	var rules sqltext.Rules
	text := "with old as (select 1) delete from t where id in (select * from old); select 'a;b';"
	for _, st := range rules.Split(text) {
		fmt.Println(st.Verb)
	}
	// Output:
	// delete
	// select
}
