package greenlet_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

func TestDumpShowsTheTree(t *testing.T) {
	defer greenlet.RecordCreation(greenlet.RecordCreation(true))
	root := inFamily(t)
	require.Contains(t, root.Family().Dump(), "current")

	idle := greenlet.New(echo, greenlet.Name("idle"))
	var dump string
	parent := greenlet.New(func(any) (any, error) {
		waitsDeepInside(root, 1)
		dump = root.Family().Dump()
		return nil, nil
	}, greenlet.Name("parent"), greenlet.Parent(idle))
	_, _ = parent.Switch(nil)
	child := newHeld(func(any) (any, error) { return root.Switch(nil) }, parent)
	_, _ = child.Switch(nil)

	dump = root.Family().Dump()
	lines := strings.Split(dump, "\n")
	require.Contains(t, lines[0], root.Family().String())
	require.Contains(t, lines[0], "2 greenlets")
	require.Contains(t, lines[1], root.String()+": current")
	require.True(t, strings.HasPrefix(lines[2], "  greenlet "), dump)
	require.Contains(t, lines[2], "(idle): not started, created in ")
	require.True(t, strings.HasPrefix(lines[3], "    greenlet "), dump)
	require.Contains(t, lines[3], "(parent): suspended, created in ")
	require.Contains(t, lines[3], "greenlet_test.TestDumpShowsTheTree at ")
	require.Contains(t, lines[3], "dump_test.go:")
	require.Contains(t, lines[4], "waitsDeepInside(")
	require.Contains(t, dump, "      "+child.String()+": suspended, created in ")

	_, _ = parent.Switch(nil) // it ends, idle gets control and ends too
	require.Contains(t, dump, "(parent): current")
	require.Contains(t, dump, root.String()+": suspended")
	require.Contains(t, dump, "TestDumpShowsTheTree(")
	require.Contains(t, root.Family().Dump(), "(parent): dead")
}
