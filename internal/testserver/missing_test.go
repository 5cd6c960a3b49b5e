//go:build unix

package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeTB records how a test would have ended.
type fakeTB struct {
	testing.TB
	skipped, failed string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Skipf(format string, args ...any) {
	f.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (f *fakeTB) run(test func(testing.TB)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(f)
	}()
	<-done
}

func TestMissingServerSkipsAndFailsWhereServersAreRequired(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	hide(t, &postgresPlaces)
	hide(t, &mariadbPlaces)
	hide(t, &pgbouncerPlaces)
	for name, f := range map[string]flavor{"postgresql": postgres{}, "mariadb": mariadb{}, "pgbouncer": &pgbouncer{}} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range [][]Option{nil, {Private()}} {
				ask := func(t testing.TB) { get(t, &shared{}, f, opts) }

				t.Setenv(RequireEnv, "")
				skip := &fakeTB{TB: t}
				skip.run(ask)
				require.Contains(t, skip.skipped, "no "+f.label()+" here")
				require.Contains(t, skip.skipped, "apt-get install "+name)
				require.Empty(t, skip.failed)

				t.Setenv(RequireEnv, "1")
				fail := &fakeTB{TB: t}
				fail.run(ask)
				require.Contains(t, fail.failed, "no "+f.label()+" here")
				require.Contains(t, fail.failed, RequireEnv)
				require.Empty(t, fail.skipped)
			}
		})
	}
}

func hide(t *testing.T, places *[]string) {
	real := *places
	*places = []string{filepath.Join(t.TempDir(), "*")}
	t.Cleanup(func() { *places = real })
}

func TestServerThatIsThereAndFailsIsNeverASkip(t *testing.T) {
	t.Setenv(RequireEnv, "")
	tb := &fakeTB{TB: t}
	tb.run(func(t testing.TB) { unavailable(t, os.ErrPermission) })
	require.Empty(t, tb.skipped)
	require.NotEmpty(t, tb.failed)
}

func TestLookupTakesOneInstallation(t *testing.T) {
	root := t.TempDir()
	program := func(elem ...string) string {
		path := filepath.Join(append([]string{root}, elem...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
		return path
	}
	names := []string{"server", "init"}
	places := []string{filepath.Join(root, "lib", "*", "bin")}
	t.Setenv("PATH", filepath.Join(root, "path"))

	_, ok := lookup(names, places)
	require.False(t, ok)

	for _, v := range []string{"9.6", "16", "15"} {
		program("lib", v, "bin", "server")
		program("lib", v, "bin", "init")
	}
	bin, ok := lookup(names, places)
	require.True(t, ok)
	require.Equal(t, filepath.Join(root, "lib", "16", "bin", "server"), bin["server"])
	require.Equal(t, filepath.Join(root, "lib", "16", "bin", "init"), bin["init"])

	// A program without its companion doesn't count.
	program("lib", "17", "bin", "server")
	require.NoError(t, os.Remove(filepath.Join(root, "lib", "16", "bin", "init")))
	require.NoError(t, os.Remove(filepath.Join(root, "lib", "16", "bin", "server")))

	// A link in PATH stands for the installation it points into.
	require.NoError(t, os.Mkdir(filepath.Join(root, "path"), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(root, "lib", "15", "bin", "server"), filepath.Join(root, "path", "server")))
	bin, ok = lookup(names, places)
	require.True(t, ok)
	require.Equal(t, filepath.Join(root, "lib", "15", "bin", "init"), bin["init"])
}

func TestPostgresOfAnotherInstallation(t *testing.T) {
	dir := t.TempDir()
	_, err := postgresBin("")
	if err != nil {
		t.Skipf("%v", err)
	}
	_, err = postgresBin(dir)
	require.ErrorContains(t, err, "no postgres in")
	require.ErrorContains(t, err, PostgresEnv)
	var missing *MissingError
	require.NotErrorAs(t, err, &missing, "it is never a skip")
	for _, program := range []string{"postgres", "initdb"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"), 0o755))
	}
	bin, err := postgresBin(dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "postgres"), bin["postgres"])
	require.Equal(t, filepath.Join(dir, "initdb"), bin["initdb"])
	require.NotEmpty(t, bin["psql"], "the system's")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "psql"), []byte("#!/bin/sh\n"), 0o755))
	bin, err = postgresBin(dir)
	require.NoError(t, err)
	require.Contains(t, bin["psql"], "psql")
	_, err = postgresBin("relative")
	require.ErrorContains(t, err, "absolute path")
}
