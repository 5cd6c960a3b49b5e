// Package pagetest opens the pages that repaint writes in a real browser, Chromium, and checks what
// can be seen there:
//
//	cd internal/pagetest && go test .
//
// It skips where there is no Chromium; scripts/install-servers.sh browser installs Debian's. With
// -shots=DIR it leaves pictures of the pages in a directory, to be looked at.
package pagetest
