package sqltext_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/db/sqltext"
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
