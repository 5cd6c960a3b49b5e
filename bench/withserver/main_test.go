package main

import (
	"strings"
	"testing"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestTheCommandHasAServer(t *testing.T) {
	testserver.Postgres(t) // skips where there is none
	if err := run([]string{"sh", "-c", `case $DATABASE_URL in postgres://*) ;; *) exit 1 ;; esac`}); err != nil {
		t.Error(err)
	}
	if err := run([]string{"sh", "-c", "exit 3"}); err == nil || !strings.Contains(err.Error(), "sh: exit status 3") {
		t.Error(err)
	}
	if err := run(nil); err == nil {
		t.Error("there is no command, and no error")
	}
}
