package repaint_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the import path of this module.
const module = "github.com/seed1239206e/repaint"

func TestImportsPointOneWay(t *testing.T) {
	for _, room := range []struct {
		dir    string
		allows string // our packages that it may need, directly or through others
		theirs bool   // whether it may need packages of other modules
	}{
		{"greenlet", "", false},
		{"loop", "", false},
		{".", "greenlet loop internal/callsite internal/explore internal/nonblock", false},
		{"coop", ". greenlet loop internal/cache internal/callsite internal/explore internal/nonblock", false},
		{"db/backend", "sqltext internal/redact", false},
		{"db/backend/sqlbackend", ". coop greenlet loop sqltext db/backend internal/cache internal/callsite internal/explore internal/nonblock internal/redact", false},
		{"db/internal/fields", "", false},
		{"db/internal/telling", "", false},
		{"db/internal/scanning", "sqltext db/backend db/internal/fields db/internal/telling internal/redact", false},
		{"db/internal/statements", "sqltext db/backend db/internal/fields internal/cache internal/redact", false},
		{"db/internal/turns", ". greenlet loop sqltext db/backend internal/callsite internal/explore internal/nonblock internal/redact", false},
		{"internal/thirdparty", ". coop greenlet loop sqltext db/backend internal/cache internal/callsite internal/explore internal/nonblock internal/redact db/backend/sqlbackend", true},
		{"trace", ". greenlet loop internal/callsite internal/explore internal/nonblock internal/webpage", false},
		{"repainttest", ". greenlet loop internal/callsite internal/explore internal/nonblock internal/webpage sqltext", false},
	} {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./"+room.dir).CombinedOutput()
		require.NoError(t, err, string(out))
		allowed := map[string]bool{importPath(room.dir): true}
		for name := range strings.FieldsSeq(room.allows) {
			allowed[importPath(name)] = true
		}
		for needed := range strings.FieldsSeq(string(out)) {
			ours := needed == module || strings.HasPrefix(needed, module+"/")
			switch {
			case ours && !allowed[needed]:
				t.Errorf("%s needs %s", importPath(room.dir), needed)
			case !ours && !room.theirs:
				t.Errorf("%s needs %s, of another module", importPath(room.dir), needed)
			}
		}
	}
}

func importPath(dir string) string {
	if dir == "." {
		return module
	}
	return module + "/" + dir
}
