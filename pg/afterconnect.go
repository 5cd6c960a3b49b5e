package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// setsUp reports whether a function of the application sets connections up. The driver can't repeat
// what that does.
func (c *Config) setsUp() bool { return c.AfterConnect != nil || c.Conn.AfterConnect != nil }

// open connects, and calls the functions of the configuration that belong to that.
func (t *attempts) open(ctx context.Context) (*pgconn.PgConn, error) {
	config := withSockets(t.noting())
	if t.db.config.AfterConnect == nil {
		return pgconn.ConnectConfig(t.within(ctx), config)
	}
	as, err := t.db.pgxConfig()
	if err != nil {
		return nil, err
	}
	as.Config = *config
	conn, err := pgx.ConnectConfig(t.within(ctx), as)
	if err != nil {
		return nil, err
	}
	t.reached(ConnectSetUp, nil)
	if limit := t.config.ConnectTimeout; limit > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, limit)
		defer end()
	}
	if err := t.setUp(ctx, conn); err != nil {
		t.reached(ConnectSetUp, err)
		_ = conn.PgConn().Conn().Close()
		return nil, err
	}
	return conn.PgConn(), nil
}

// pgxConfig returns the configuration of the pgx.Conn that the application gets while its
// connection is set up. None of the statements that pgx executes stays prepared on the connection.
func (db *DB) pgxConfig() (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("host=own user=own dbname=own sslmode=disable") // pgx accepts only a configuration that it has made
	if err != nil {
		return nil, err
	}
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, defaultCache
	if config.DefaultQueryExecMode = db.config.ExecMode; db.config.ExecMode == pgx.QueryExecModeCacheStatement {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return config, nil
}

// setUp calls AfterConnect, and makes the types that it has registered known to the DB.
func (t *attempts) setUp(ctx context.Context, conn *pgx.Conn) error {
	t.db.registerIn(conn.TypeMap())
	t.calls = "AfterConnect"
	err := t.db.config.AfterConnect(ctx, conn)
	t.calls = ""
	switch {
	case err != nil:
		return err
	case conn.IsClosed():
		return errors.New("AfterConnect has closed the connection")
	case conn.PgConn().IsBusy():
		return errors.New("AfterConnect has left rows, a batch or a COPY open: close it before the function returns")
	case conn.PgConn().TxStatus() != 'I':
		return nil // what takes over says so
	}
	if err := t.db.learnTypes(ctx, conn, t.db.types.Load()); err != nil {
		return fmt.Errorf("the types that AfterConnect has registered: %w", err)
	}
	return nil
}

// registerIn makes the DB's types known to the map of a pgx.Conn.
func (db *DB) registerIn(m *pgtype.Map) {
	if fn := db.config.RegisterTypes; fn != nil {
		fn(m)
	}
	if loaded := db.types.Load(); loaded != nil {
		_ = loaded.register(m) // LoadTypes has tried it
	}
}

// learnTypes makes types of the database's own known to the DB that have been registered in a
// pgx.Conn, except for those that are known already.
func (db *DB) learnTypes(ctx context.Context, conn *pgx.Conn, known *typeDefs) error {
	rows, err := conn.Query(ctx, "select oid, oid::regtype::text from pg_catalog.pg_type where oid >= 16384", pgx.QueryExecModeExec)
	if err != nil {
		return err
	}
	var names []string
	codecs := codecsOf{}
	var oid uint32
	var name string
	if _, err := pgx.ForEachRow(rows, []any{&oid, &name}, func() error {
		t, registered := conn.TypeMap().TypeForOID(oid)
		if registered && !known.have(oid) {
			names = append(names, name)
			codecs[oid] = t.Codec
		}
		return nil
	}); err != nil || len(names) == 0 {
		return err
	}
	found, err := readTypes(ctx, conn, names)
	if err != nil {
		return err
	}
	return db.addTypes(found, codecs)
}
