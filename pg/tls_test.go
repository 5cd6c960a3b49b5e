package pg

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// tlsURL returns the URL of a database at a host name, which hostIsLocal must resolve, with further
// options.
func tlsURL(at testserver.Target, host string, options ...string) string {
	q := url.Values{}
	for i := 0; i < len(options); i += 2 {
		if options[i+1] != "" {
			q.Set(options[i], options[i+1])
		}
	}
	u := url.URL{Scheme: "postgres", Host: fmt.Sprintf("%s:%d", host, at.Port), Path: "/" + at.DBName, RawQuery: q.Encode()}
	u.User = url.User(at.User)
	if at.Password != "" {
		u.User = url.UserPassword(at.User, at.Password)
	}
	return u.String()
}

// openLocal opens a DB whose host, whatever its name, is this machine.
func openLocal(t *testing.T, conn string) *DB {
	config, err := ParseConfig(conn)
	require.NoError(t, err)
	config.Conn.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1"}, nil }
	db, err := OpenConfig(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
	return db
}

// Each mode of TLS, against a server that has TLS and one that doesn't, with the right and with the
// wrong authority and host name.
func TestModesOfTLS(t *testing.T) {
	secure := testserver.Postgres(t, testserver.TLS())
	other := testserver.Postgres(t, testserver.TLS()) // for its authority
	plain := testserver.Postgres(t)
	right, wrong := secure.CAFile, other.CAFile
	const (
		inPlain = "in plain text"
		inTLS   = "encrypted"
	)
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		for _, test := range []struct {
			at             *testserver.Server
			host, mode, ca string
			want           string // inPlain, inTLS, or a part of the error
		}{
			{secure, "localhost", "disable", "", inPlain},
			{secure, "localhost", "allow", "", inPlain},
			{secure, "localhost", "prefer", "", inTLS},
			{secure, "localhost", "require", "", inTLS},
			{secure, "elsewhere.example", "require", "", inTLS},
			{secure, "elsewhere.example", "require", right, inTLS},
			{secure, "localhost", "require", wrong, "unknown authority"}, // as libpq does: with an authority it is verify-ca
			{secure, "localhost", "verify-ca", right, inTLS},
			{secure, "elsewhere.example", "verify-ca", right, inTLS},
			{secure, "localhost", "verify-ca", wrong, "unknown authority"},
			{secure, "localhost", "verify-full", right, inTLS},
			{secure, "127.0.0.1", "verify-full", right, inTLS},
			{secure, "elsewhere.example", "verify-full", right, "not elsewhere.example"},
			{secure, "localhost", "verify-full", wrong, "unknown authority"},
			{plain, "localhost", "disable", "", inPlain},
			{plain, "localhost", "prefer", "", inPlain},
			{plain, "localhost", "require", "", "refused TLS"},
			{plain, "localhost", "verify-full", right, "refused TLS"},
		} {
			name := fmt.Sprintf("%s at %s with %q", test.mode, test.host, test.ca)
			db := openLocal(t, tlsURL(test.at.Target, test.host, "sslmode", test.mode, "sslrootcert", test.ca))
			var encrypted bool
			err := db.QueryRow(ctx, "select ssl from pg_stat_ssl where pid = pg_backend_pid()").Scan(&encrypted)
			switch test.want {
			case inPlain, inTLS:
				require.NoError(t, err, name)
				require.Equal(t, test.want == inTLS, encrypted, name)
				continue
			}
			require.ErrorContains(t, err, test.want, name)
			var unreached *pgconn.ConnectError
			require.ErrorAs(t, err, &unreached, name)
			switch test.want {
			case "unknown authority":
				var unknown x509.UnknownAuthorityError
				require.ErrorAs(t, err, &unknown, name)
			case "not elsewhere.example":
				var mismatch x509.HostnameError
				require.ErrorAs(t, err, &mismatch, name)
			}
			neverNames(t, err, test.at.Password+"@")
		}
	})
}

func TestClientCertificate(t *testing.T) {
	srv := testserver.Postgres(t, testserver.TLS(), testserver.HBA("local all all trust", "hostssl all all 127.0.0.1/32 cert"))
	at := srv.Target
	at.Password = ""
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		with := []string{"sslmode", "verify-full", "sslrootcert", srv.CAFile, "sslcert", srv.CertFile, "sslkey", srv.KeyFile}
		db := openLocal(t, tlsURL(at, "localhost", with...))
		var user, subject string
		require.NoError(t, db.QueryRow(ctx, "select current_user, client_dn from pg_stat_ssl where pid = pg_backend_pid()").Scan(&user, &subject))
		require.Equal(t, []string{srv.User, "/CN=" + srv.User}, []string{user, subject})

		err := openLocal(t, tlsURL(at, "localhost", with[:4]...)).Ping(ctx)
		require.ErrorContains(t, err, "28000", "without one")
		stranger := at
		stranger.User = "postgres"
		err = openLocal(t, tlsURL(stranger, "localhost", with...)).Ping(ctx)
		require.ErrorContains(t, err, "28000", "it is somebody else's")
	})
}

// SCRAM can be bound to the TLS channel, so that no third party can stand in between.
func TestChannelBinding(t *testing.T) {
	srv := testserver.Postgres(t, testserver.TLS())
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		require.NoError(t, openLocal(t, tlsURL(srv.Target, "localhost", "sslmode", "require", "channel_binding", "require")).Ping(ctx))
		err := openLocal(t, tlsURL(srv.Target, "localhost", "sslmode", "disable", "channel_binding", "require")).Ping(ctx)
		require.ErrorContains(t, err, "channel binding")
	})
}

// An application's own tls.Config, as pgx's users give it.
func TestOwnTLSConfig(t *testing.T) {
	srv := testserver.Postgres(t, testserver.TLS())
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		config, err := ParseConfig(tlsURL(srv.Target, "localhost", "sslmode", "require"))
		require.NoError(t, err)
		config.Conn.TLSConfig = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
		db, err := OpenConfig(config)
		require.NoError(t, err)
		var version string
		require.NoError(t, db.QueryRow(ctx, "select version from pg_stat_ssl where pid = pg_backend_pid()").Scan(&version))
		require.Equal(t, "TLSv1.3", version)
		require.NoError(t, db.Close(ctx))
	})
}

// Large parameters and large results, at once and on one lane, through TLS, where another goroutine
// does the writing; a COPY each way; and a cancel.
func TestLargeDataThroughTLS(t *testing.T) {
	srv := testserver.Postgres(t, testserver.TLS())
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := srv.Database(t)
		db := openAt(t, target.URL()+"&pool_lanes=1&pool_sessions=2")
		const size = 2 << 20
		for i, err := range c.together(ctx, 12, func(ctx context.Context, i int) error {
			sent := bytes.Repeat([]byte{byte(i), 0xff, byte(i + 1)}, size/3)
			var got []byte
			if err := db.QueryRow(ctx, "select $1::bytea", sent).Scan(&got); err != nil {
				return err
			}
			if !bytes.Equal(sent, got) {
				return fmt.Errorf("%d bytes were sent, %d other ones came back", len(sent), len(got))
			}
			return nil
		}) {
			require.NoError(t, err, i)
		}
		_, err := db.Exec(ctx, "create table t (id int, text text)")
		require.NoError(t, err)
		long := strings.Repeat("x", 1000)
		const rows = 5000
		n, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id", "text"}, pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return []any{i, long}, nil }))
		require.NoError(t, err)
		require.EqualValues(t, rows, n)
		var out counter
		tag, err := db.CopyTo(ctx, &out, "copy t to stdout")
		require.NoError(t, err)
		require.EqualValues(t, rows, tag.RowsAffected())
		require.Greater(t, int(out), rows*len(long))
		streamed, err := db.Stream(ctx, "select text from t")
		require.NoError(t, err)
		count := 0
		for streamed.Next() {
			count++
		}
		require.NoError(t, streamed.Err())
		require.Equal(t, rows, count)

		limited, cancel := context.WithCancel(ctx)
		wait := c.start(limited, func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(50)"); return err })
		running(t, ctx, target, "pg_sleep(50)")
		cancel()
		require.ErrorIs(t, wait(), context.Canceled)
		require.NoError(t, db.Ping(ctx))
		require.EqualValues(t, 1, db.Stats().Connects, "the lane is still the same")
	})
}

// A counter counts the bytes that are written to it.
type counter int

var _ io.Writer = (*counter)(nil)

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
