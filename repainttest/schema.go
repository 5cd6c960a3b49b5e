package repainttest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/internal/explore"
)

// A Schema says what a statement may touch besides the tables that it names, see [Reduced].
// [ReadSchema] and [PlainTables] make one. It never changes, so any goroutine and test may use it.
type Schema struct {
	tables map[string]*relation // by name, in lower case and without their schema's
	level  string               // of isolation, of a transaction that doesn't say its own; "" if it isn't known
}

// A relation is a table, or something else with a name that statements can use as one.
type relation struct {
	opaque        bool     // using it may do anything
	reads, writes []string // what a change of it may read and change, too
}

// PlainTables returns the Schema of plain tables. The caller vouches that they are no views, and
// have no triggers, rules, foreign keys, row-level security, partitions, and no functions or shared
// sequences in their definitions. Statements that name other tables may do anything. The isolation
// level counts as unknown.
func PlainTables(names ...string) *Schema {
	s := &Schema{tables: map[string]*relation{}}
	for _, name := range names {
		s.relation(name)
	}
	return s
}

// ReadSchema reads the Schema from the database's catalogue: the tables, their foreign keys, the
// isolation level of new sessions, and the tables, views and functions with which a statement may
// do more than its text says. It knows PostgreSQL, MariaDB, MySQL and SQLite, and returns an error
// for other databases. The other errors are those of query.
func ReadSchema(ctx context.Context, query Query) (*Schema, error) {
	about := explore.Recognize(ctx, query, query)
	s := &Schema{tables: map[string]*relation{}}
	var err error
	switch about.Server.(type) {
	case *explore.Postgres:
		err = s.ask(ctx, query, "select current_setting('default_transaction_isolation')", postgresCatalogue)
	case *explore.MariaDB, *explore.MySQL:
		if err = s.ask(ctx, query, "select @@transaction_isolation", mysqlCatalogue); err != nil {
			err = s.ask(ctx, query, "select @@tx_isolation", mysqlCatalogue) // in older versions
		}
	case explore.Local:
		err = s.ask(ctx, query, "select 'serializable'", sqliteCatalogue)
	default:
		return nil, fmt.Errorf("repainttest: ReadSchema can't read this database's catalogue, only those of PostgreSQL, MariaDB, MySQL and SQLite: name the tables in PlainTables")
	}
	if err != nil {
		return nil, fmt.Errorf("repainttest: reading the database's catalogue: %w", err)
	}
	s.complete()
	return s, nil
}

// A catalogue query returns rows of three: a name, what is said of it, and of which other. The name
// is that of a "table", of something "opaque", or of a table that "refers" to another one.
const postgresCatalogue = `
with c as (
	select c.*, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
	where n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and c.relkind in ('r', 'p', 'v', 'm', 'f'))
select relname::text, 'table', '' from c where relkind = 'r' and not relrowsecurity
union all select relname::text, 'opaque', '' from c where relkind <> 'r' or relrowsecurity or relispartition
	or exists (select from pg_inherits i where c.oid in (i.inhrelid, i.inhparent))
	or exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal)
	or exists (select from pg_rewrite r where r.ev_class = c.oid)
	or exists (select from pg_depend d join pg_attrdef a on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid
		where a.adrelid = c.oid and (d.refclassid = 'pg_proc'::regclass
			or d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid and not exists (
				select from pg_depend o where o.objid = d.refobjid and o.refobjid = c.oid and o.deptype in ('a', 'i'))))
	or exists (select from pg_depend d join pg_constraint k on d.classid = 'pg_constraint'::regclass and d.objid = k.oid
		where k.conrelid = c.oid and d.refclassid = 'pg_proc'::regclass)
	or exists (select from pg_depend d join pg_index x on d.classid = 'pg_class'::regclass and d.objid = x.indexrelid
		where x.indrelid = c.oid and d.refclassid = 'pg_proc'::regclass)
union all select a.relname::text, 'refers', b.relname::text
	from pg_constraint k join pg_class a on a.oid = k.conrelid join pg_class b on b.oid = k.confrelid where k.contype = 'f'
union all select proname::text, 'function', '' from pg_proc p join pg_namespace n on n.oid = p.pronamespace
	where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'`

const mysqlCatalogue = `
select table_name, case when table_type = 'BASE TABLE' then 'table' else 'opaque' end, '' from information_schema.tables where table_schema = database()
union all select event_object_table, 'opaque', '' from information_schema.triggers where event_object_schema = database()
union all select table_name, 'opaque', '' from information_schema.columns where table_schema = database() and column_default like '%nextval%'
union all select table_name, 'refers', referenced_table_name from information_schema.referential_constraints where constraint_schema = database()
union all select routine_name, 'function', '' from information_schema.routines where routine_schema = database()`

const sqliteCatalogue = `
select name, case when type = 'view' or sql like 'create virtual%' then 'opaque' else 'table' end, '' from sqlite_master where type in ('table', 'view')
union all select tbl_name, 'opaque', '' from sqlite_master where type = 'trigger'
union all select m.name, 'refers', k."table" from sqlite_master m, pragma_foreign_key_list(m.name) k where m.type = 'table'`

func (s *Schema) ask(ctx context.Context, query Query, level, catalogue string) error {
	rows, err := query(ctx, level)
	if err != nil {
		return err
	}
	if len(rows) == 1 {
		s.level = strings.ToLower(strings.ReplaceAll(rows[0][0], "-", " "))
	}
	rows, err = query(ctx, catalogue)
	if err != nil {
		return err
	}
	for _, row := range rows {
		switch t := s.relation(row[0]); row[1] {
		case "opaque", "function":
			t.opaque = true
		case "refers":
			parent := s.relation(row[2])
			t.reads = union(t.reads, []string{strings.ToLower(row[2])})
			parent.reads = union(parent.reads, []string{strings.ToLower(row[0])})
			parent.writes = union(parent.writes, []string{strings.ToLower(row[0])}) // it may cascade
		}
	}
	return nil
}

func (s *Schema) relation(name string) *relation {
	name = strings.ToLower(name)
	if s.tables[name] == nil {
		s.tables[name] = &relation{}
	}
	return s.tables[name]
}

// complete follows changes to what they change in turn.
func (s *Schema) complete() {
	for more := true; more; {
		more = false
		for _, t := range s.tables {
			for _, name := range slices.Clone(t.writes) {
				o := s.tables[name]
				reads, writes := union(t.reads, o.reads), union(t.writes, o.writes)
				if len(reads) > len(t.reads) || len(writes) > len(t.writes) || o.opaque && !t.opaque {
					t.reads, t.writes, t.opaque, more = reads, writes, t.opaque || o.opaque, true
				}
			}
		}
	}
}
