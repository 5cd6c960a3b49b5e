// Package pgstate has the texts that undo what a caller has left behind on a connection to
// PostgreSQL. Each is one message, in which DISCARD ALL, which must stand alone, isn't possible; and
// DISCARD ALL would leave the role as SET SESSION AUTHORIZATION makes it, though that may have another
// default.
package pgstate

const (
	// UndoUnseen undoes what statements may do without showing it. It keeps what has been prepared. The
	// settings come first, so that what follows means what it says.
	UndoUnseen = "close all; set session authorization default; reset all; reset role; unlisten *; " +
		"select pg_catalog.pg_advisory_unlock_all(); discard temp; discard sequences"

	// UndoAll undoes everything that can be undone.
	UndoAll = UndoUnseen + "; deallocate all; discard plans"

	// Setup returns, in few bytes, how the connection is set up: its users, the settings, temporary
	// objects and prepared statements that it has got since it was made. It doesn't know settings with
	// a dot in their names that no extension has declared.
	Setup = `select pg_catalog.concat_ws(' ', session_user, pg_catalog.current_setting('role'),
		(select pg_catalog.md5(pg_catalog.string_agg(name || '=' || setting, ' ' order by name))
			from pg_catalog.pg_settings where source = 'session'),
		(select pg_catalog.md5(pg_catalog.string_agg(classid || ':' || objid, ' ' order by classid, objid))
			from pg_catalog.pg_depend where refclassid = 2615 and refobjid = nullif(pg_catalog.pg_my_temp_schema(), 0)),
		(select pg_catalog.md5(pg_catalog.string_agg(name || '=' || statement, ' ' order by name))
			from pg_catalog.pg_prepared_statements where from_sql))`

	// UndoKept undoes what doesn't belong to the setup.
	UndoKept = "close all; unlisten *; select pg_catalog.pg_advisory_unlock_all()"
)
