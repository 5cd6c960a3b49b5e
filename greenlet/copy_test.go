package greenlet_test

import (
	"os/exec"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

func TestVetRefusesCopies(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it runs the go command")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command")
	}
	out, err := exec.Command("go", "vet", "./testdata/copied").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "return copies lock value: github.com/seed1239206e/repaint/greenlet.Greenlet")
	require.Contains(t, string(out), "assignment copies lock value to c: github.com/seed1239206e/repaint/greenlet.Generator[int]")
}

// A copy doesn't count as a reference, but the greenlet isn't killed while it runs.
func TestARunningCopyIsNotKilled(t *testing.T) {
	root := inFamily(t)
	var clone *greenlet.Greenlet
	func() {
		g := greenlet.New(func(any) (any, error) {
			_, _ = root.Switch(nil)
			until(t, func() bool { return greenlet.Forgotten(root.Family()) })
			for range 3 {
				greenlet.Current()
			}
			return "lived", nil
		})
		_, _ = g.Switch(nil)
		clone = new(greenlet.Greenlet)
		reflect.ValueOf(clone).Elem().Set(reflect.ValueOf(g).Elem()) // vet doesn't see it
	}()
	v, err := clone.Switch(nil)
	require.Equal(t, "lived", must(t, v, err))
}
