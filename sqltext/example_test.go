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

func ExampleToken() {
	text := "select :id -- the key"
	for t := sqltext.SQLite.Next(text, 0); t.Kind != sqltext.End; t = sqltext.SQLite.Next(text, t.End) {
		if !t.Kind.Blank() {
			fmt.Println(text[t.Start:t.End])
		}
	}
	// Output:
	// select
	// :id
}

// Blank kinds are white space and comments.
func ExampleKind() {
	text := "/* a comment */"
	t := sqltext.MySQL.Next(text, 0)
	fmt.Println(t.Kind == sqltext.End, t.Kind.Blank())
	// Output: false true
}

func ExampleStatement() {
	text := "delete from a; /* twice */ delete from b"
	for st := range sqltext.MySQL.Statements(text) {
		fmt.Printf("%s: %q, as written %q\n", st.Verb, text[st.Start:st.End], text[st.From:st.To])
	}
	// Output:
	// delete: "delete from a", as written "delete from a"
	// delete: "delete from b", as written " /* twice */ delete from b"
}

func ExampleVerdict() {
	text := "insert into t values (1) returning id"
	for st := range sqltext.PostgreSQL.Statements(text) {
		v := sqltext.PostgreSQL.Classify(text, st)
		fmt.Println(v.Effects.Pipelines(), text[v.Returning:])
	}
	// Output: true returning id
}

func ExampleEffects() {
	text := "select 1; set time zone 'UTC'"
	for st := range sqltext.PostgreSQL.Statements(text) {
		effects := sqltext.PostgreSQL.Classify(text, st).Effects
		fmt.Println(st.Verb, effects.Any(sqltext.ReturnsRows), effects.Any(sqltext.LeavesState))
	}
	// Output:
	// select true false
	// set false true
}

// The rules of each database say which statements contain others.
func ExampleBodies() {
	text := "create trigger t after insert on a begin delete from b; delete from c; end; select 1"
	rules := sqltext.Rules{Bodies: sqltext.SQLite.Bodies}
	for st := range rules.Statements(text) {
		fmt.Println(st.Verb, st.Block)
	}
	// Output:
	// create true
	// select false
}
