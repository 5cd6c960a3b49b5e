package repaint_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A record that comes in pieces must be put together, wherever it is cut and whatever runs in
// between.
func TestTLSOverAConnectionWhoseRecordsAreCutAtEveryByte(t *testing.T) {
	config, roots := certificate(t)
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ours, theirs := connected(t, "tcp")
		defer func() { _, _ = ours.Close(), theirs.Close() }()
		server := tls.Server(&drops{Conn: theirs}, config)
		served := make(chan error, 1)
		go func() {
			_, err := io.Copy(server, server)
			served <- err
		}()
		client := tls.Client(ours, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		for i := range 20 {
			text := bytes.Repeat([]byte{byte(i)}, 1+i*17)
			_, err := client.Write(text)
			require.NoError(t, err)
			got := make([]byte, len(text))
			_, err = io.ReadFull(client, got)
			require.NoError(t, err)
			require.Equal(t, text, got)
		}
		require.NoError(t, client.Close())
		<-served // its error about an end without a proper close doesn't matter
	})
}

// drops is a connection that sends each byte by itself.
type drops struct{ net.Conn }

func (d *drops) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := d.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// certificate makes a server's configuration, and what a client needs to trust it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}, roots
}
