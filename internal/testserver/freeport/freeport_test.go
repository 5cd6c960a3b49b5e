package freeport

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortCanBeOpenedAgain(t *testing.T) {
	port, err := Pick()
	require.NoError(t, err)
	require.GreaterOrEqual(t, port, lowest)
	require.Less(t, port, highest)
	for range 3 {
		l, err := net.Listen("tcp4", Addr(port))
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}

func TestListenersGetPortsOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		l, err := Listen()
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		require.False(t, seen[l.Addr().String()])
		seen[l.Addr().String()] = true
	}
}

func TestARefusingAddressIsTaken(t *testing.T) {
	addr, release, err := Refusing()
	require.NoError(t, err)
	defer release()
	_, err = net.Dial("tcp4", addr)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = net.Listen("tcp4", addr)
	require.Error(t, err)
}
