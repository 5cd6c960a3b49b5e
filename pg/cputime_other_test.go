//go:build !unix

package pg

import "time"

// cpuTime isn't known here.
func cpuTime() time.Duration { return 0 }
