//go:build !unix

package repaint_test

import "os"

var dumpSignal = os.Interrupt
