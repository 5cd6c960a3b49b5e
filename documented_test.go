package repaint_test

import (
	"go/doc"
	"testing"
)

// Each exported function, method and type has a comment.
func TestExportedSymbolsAreDocumented(t *testing.T) {
	for _, dir := range userPackages(t) {
		p := packageIn(t, dir, false)
		if p.Doc == "" {
			t.Errorf("%s: the package has no comment", dir)
		}
		check := func(prefix string, all []*doc.Func) {
			for _, f := range all {
				if f.Doc == "" {
					t.Errorf("%s: %s%s has no comment", dir, prefix, f.Name)
				}
			}
		}
		check("", p.Funcs)
		for _, x := range p.Types {
			if x.Doc == "" {
				t.Errorf("%s: %s has no comment", dir, x.Name)
			}
			check("", x.Funcs)
			check(x.Name+".", x.Methods)
		}
	}
}
