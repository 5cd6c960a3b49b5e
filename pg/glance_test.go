package pg

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/nonblock"
)

// A piecemeal connection keeps back what is written to it, so that a test can send it in pieces.
type piecemeal struct {
	net.Conn
	keeps bool
	kept  []byte
}

func (p *piecemeal) Write(b []byte) (int, error) {
	if !p.keeps {
		return p.Conn.Write(b)
	}
	p.kept = append(p.kept, b...)
	return len(b), nil
}

// send sends the first n bytes that were kept back.
func (p *piecemeal) send(t *testing.T, n int) {
	t.Helper()
	_, err := p.Conn.Write(p.kept[:n])
	require.NoError(t, err)
	p.kept = p.kept[n:]
}

// overTLS returns the two ends of a connection with TLS, whose client reads through a socket.
func overTLS(t *testing.T, version uint16) (client *tls.Conn, g *glance, server *tls.Conn, below *piecemeal) {
	t.Helper()
	if !nonblock.Supported {
		t.Skip("sockets can't be read without waiting here")
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer l.Close()
	a, err := net.Dial("unix", l.Addr().String())
	require.NoError(t, err)
	b, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = a.Close()
		_ = b.Close()
	})
	below = &piecemeal{Conn: b}
	server = tls.Server(below, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}, MaxVersion: version})
	s := &socket{a, newGlance(rawOf(a))}
	client = tls.Client(s, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	require.NoError(t, client.Handshake())
	require.NoError(t, <-shaken)
	g, direct := glanceAt(client)
	require.Same(t, s.glance, g)
	require.False(t, direct)
	return client, g, server, below
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// look reads what has come, and returns errNothing when there is no more.
func look(c io.Reader, g *glance) ([]byte, error) {
	var all []byte
	buf := make([]byte, 1000)
	g.left = 1000
	defer func() { g.left = -1 }()
	for {
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// crypto/tls keeps the part of a record that has come, wherever a read says that there is nothing
// more yet.
func TestRecordsOfTLSCutAtEveryByte(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			client, g, server, below := overTLS(t, version)
			_, err := look(client, g) // with TLS 1.3, tickets have come
			require.Equal(t, error(errNothing), err)
			message := []byte("what the server says")
			below.keeps = true
			for cut := 1; ; cut++ {
				for range 2 { // the second record comes with the rest of the first
					_, err := server.Write(message)
					require.NoError(t, err)
				}
				if cut >= len(below.kept) {
					break
				}
				first := len(below.kept) / 2
				below.send(t, cut)
				got, err := look(client, g)
				require.Equal(t, error(errNothing), err, "cut at %d", cut)
				want := bytes.Repeat(message, cut/first)
				require.Equal(t, string(want), string(got), "cut at %d", cut)
				below.send(t, len(below.kept))
				rest, err := look(client, g)
				require.Equal(t, error(errNothing), err, "cut at %d", cut)
				require.Equal(t, string(bytes.Repeat(message, 2)), string(got)+string(rest), "cut at %d", cut)
			}
			below.send(t, len(below.kept)-1)
			_, err = look(client, g)
			require.Equal(t, error(errNothing), err)

			// A read that waits goes on where the glances have stopped.
			below.send(t, 1)
			buf := make([]byte, len(message))
			_, err = io.ReadFull(client, buf)
			require.NoError(t, err)
			require.Equal(t, string(message), string(buf))

			below.keeps = false
			require.NoError(t, server.Close())
			_, err = look(client, g)
			require.Equal(t, io.EOF, err)
		})
	}
}

// Each byte of the tickets that a server sends after the handshake comes alone, too.
func TestHandshakeMessagesOfTLSCutAtEveryByte(t *testing.T) {
	client, g, server, below := overTLS(t, tls.VersionTLS13)
	_, err := look(client, g)
	require.Equal(t, error(errNothing), err)
	below.keeps = true
	_, err = server.Write([]byte("a"))
	require.NoError(t, err)
	for len(below.kept) > 1 {
		below.send(t, 1)
		got, err := look(client, g)
		require.Equal(t, error(errNothing), err)
		require.Empty(t, got)
	}
	below.send(t, 1)
	got, err := look(client, g)
	require.Equal(t, error(errNothing), err)
	require.Equal(t, "a", string(got))
}

func TestAGlanceAtAConnection(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	g, _ := glanceAt(a)
	require.Nil(t, g, "it has no descriptor")
	require.False(t, g.looks())
	g, _ = glanceAt(tls.Client(a, &tls.Config{InsecureSkipVerify: true}))
	require.Nil(t, g, "nor has this")
}
