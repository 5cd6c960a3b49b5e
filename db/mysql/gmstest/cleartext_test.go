package gmstest

import (
	"context"
	"encoding/pem"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
)

// tokens asks for a token, as the password, and checks it, like a cloud's database.
type tokens struct {
	valid atomic.Pointer[string]
	asked atomic.Int32
}

func (k *tokens) Authenticate(_ *mysql_db.MySQLDb, _ string, _ *mysql_db.User, password string) (bool, error) {
	k.asked.Add(1)
	return password == *k.valid.Load(), nil
}

// A changing token reaches the server unchanged, but only over TLS. Without TLS it isn't sent.
func TestATokenIsSentInCleartextOverTLSOnly(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600))
	k := &tokens{}
	address, err := url.Parse(serveAs(t, server.Config{TLSConfig: web.TLS.Clone()}, func(e *sqle.Engine) {
		users := e.Analyzer.Catalog.MySQLDb
		users.SetPlugins(map[string]mysql_db.PlaintextAuthPlugin{"token": k})
		editor := users.Editor()
		defer editor.Close()
		users.AddSuperUser(editor, "iam", "%", "")
		user := users.GetUser(editor, "iam", "127.0.0.1", false)
		user.Plugin = "token"
		editor.PutUser(user)
	}))
	require.NoError(t, err)
	open := func(ctx context.Context, options string) (*db.Engine, error) {
		u := *address
		u.User = url.User("iam")
		u.RawQuery = options
		return db.Open(ctx, u.String(), db.BeforeConnect(func(_ context.Context, login *db.Login) error {
			login.Password = *k.valid.Load()
			return nil
		}))
	}
	first, second := "first", "second"
	k.valid.Store(&first)
	verified := "tls=verify&tls_ca=" + url.QueryEscape(ca)

	for name, colour := range map[string]func(ctx context.Context, main func(context.Context) error) error{
		"goroutine": func(ctx context.Context, main func(context.Context) error) error { return main(ctx) },
		"loop":      func(ctx context.Context, main func(context.Context) error) error { return repaint.Run(ctx, main) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, colour(t.Context(), func(ctx context.Context) error {
				for _, options := range []string{verified, "tls=required"} {
					k.valid.Store(&first)
					e, err := open(ctx, options+"&allow_cleartext_passwords=true")
					require.NoError(t, err)
					n, err := db.Scalar[int](ctx, e, "select 1")
					require.NoError(t, err)
					require.Equal(t, 1, n)
					k.valid.Store(&second)
					e.Reset()
					_, err = e.Exec(ctx, "select 1")
					require.NoError(t, err)
					require.NoError(t, e.Close(ctx))
				}
				before := k.asked.Load()
				_, err := open(ctx, verified)
				require.ErrorIs(t, err, db.ErrPermission)
				require.ErrorContains(t, err, "allow_cleartext_passwords=true&tls=verify")
				for _, options := range []string{"", "tls=off&", "tls=preferred&"} {
					_, err := open(ctx, options+"allow_cleartext_passwords=true")
					require.ErrorContains(t, err, "the password may only be sent encrypted: write tls=verify")
				}
				_, err = open(ctx, "tls=verify&allow_cleartext_passwords=true")
				require.ErrorContains(t, err, "certificate", "it is sent to no server that can't be verified")
				_, err = open(ctx, "allowCleartextPasswords=true")
				require.ErrorContains(t, err, "is allow_cleartext_passwords meant?")
				require.Equal(t, before, k.asked.Load())
				return nil
			}))
		})
	}
}
