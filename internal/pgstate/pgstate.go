// Package pgstate has the SQL texts that undo what a caller has left on a connection to PostgreSQL.
// Each text is one message. They don't use DISCARD ALL, because it must be the only statement of
// its message. It would also leave the role as SET SESSION AUTHORIZATION sets it, although the role
// may have another default.
package pgstate

const (
	// UndoUnseen undoes what statements may leave without showing it. It keeps prepared statements.
	// The settings come first, so that the statements after them mean what they say.
	UndoUnseen = "close all; set session authorization default; reset all; reset role; unlisten *; " +
		"select pg_catalog.pg_advisory_unlock_all(); discard temp; discard sequences"

	// UndoAll undoes everything that can be undone.
	UndoAll = UndoUnseen + "; deallocate all; discard plans"

	// Setup is a query that describes in few bytes how the connection is set up: its users, and the
	// settings, temporary objects and prepared statements that it has got since it was opened. It
	// misses settings with a dot in their names that no extension has declared.
	Setup = `select pg_catalog.concat_ws(' ', session_user, pg_catalog.current_setting('role'),
		(select pg_catalog.md5(pg_catalog.string_agg(name || '=' || setting, ' ' order by name))
			from pg_catalog.pg_settings where source = 'session'),
		(select pg_catalog.md5(pg_catalog.string_agg(classid || ':' || objid, ' ' order by classid, objid))
			from pg_catalog.pg_depend where refclassid = 2615 and refobjid = nullif(pg_catalog.pg_my_temp_schema(), 0)),
		(select pg_catalog.md5(pg_catalog.string_agg(name || '=' || statement, ' ' order by name))
			from pg_catalog.pg_prepared_statements where from_sql))`

	// UndoKept undoes everything that isn't part of the setup.
	UndoKept = "close all; unlisten *; select pg_catalog.pg_advisory_unlock_all()"
)
