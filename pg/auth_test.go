package pg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// The server asks for the password in each of the ways that it knows. Lanes, sessions and cancel
// requests get through. A wrong password is the server's error, which never shows it.
func TestPasswords(t *testing.T) {
	srv := testserver.Postgres(t, testserver.HBA(
		"local all all trust",
		"host all plain 127.0.0.1/32 password",
		"host all digest 127.0.0.1/32 md5",
		"host all salted 127.0.0.1/32 scram-sha-256",
		"host all trusted 127.0.0.1/32 trust",
		"host all refused 127.0.0.1/32 reject",
	))
	const password = "pass word'%/@ü"
	for user, encryption := range map[string]string{"plain": "scram-sha-256", "digest": "md5", "salted": "scram-sha-256", "trusted": "scram-sha-256", "refused": "scram-sha-256"} {
		srv.MustQuery(t, fmt.Sprintf("set password_encryption = '%s'; create role %s login password '%s'", encryption, user, "pass word''%/@ü"))
	}
	at := func(user, password, options string) string {
		u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: srv.Addr(), Path: "/" + srv.DBName, RawQuery: "sslmode=disable" + options}
		return u.String()
	}
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, user := range []string{"plain", "digest", "salted", "trusted"} {
			db := openAt(t, at(user, password, ""))
			var got string
			require.NoError(t, db.QueryRow(ctx, "select current_user").Scan(&got))
			require.Equal(t, user, got)
			s, err := db.Acquire(ctx)
			require.NoError(t, err, user)
			require.NoError(t, s.QueryRow(ctx, "select current_user").Scan(&got))
			require.Equal(t, user, got)
			s.Release()
			if user == "trusted" {
				continue
			}
			db = openAt(t, at(user, "hunter2", ""))
			_, begin := db.Begin(ctx)
			_, listen := db.Listen(ctx, "news")
			for _, err := range []error{db.Ping(ctx), begin, listen} {
				var pgErr *pgconn.PgError
				require.ErrorAs(t, err, &pgErr, user)
				require.Equal(t, "28P01", pgErr.Code)
				require.ErrorContains(t, err, user)
				neverNames(t, err, "hunter2")
			}
		}
		// What the client demands of the server.
		require.NoError(t, openAt(t, at("salted", password, "&require_auth=scram-sha-256")).Ping(ctx))
		for user, demand := range map[string]string{"plain": "scram-sha-256,md5", "digest": "scram-sha-256", "salted": "password,md5", "trusted": "scram-sha-256"} {
			err := openAt(t, at(user, password, "&require_auth="+demand)).Ping(ctx)
			require.ErrorContains(t, err, "require_auth", user)
			neverNames(t, err, password)
		}
		err := openAt(t, at("refused", password, "")).Ping(ctx)
		require.ErrorContains(t, err, "28000")
		neverNames(t, err, password)
	})
}

// neverNames checks that no error of the tree shows a secret, in whatever format.
func neverNames(t *testing.T, err error, secret string) {
	t.Helper()
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %q", err, err, err, err), secret)
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			neverNames(t, inner, secret)
		}
	default:
		if inner := errors.Unwrap(err); inner != nil {
			neverNames(t, inner, secret)
		}
	}
}
