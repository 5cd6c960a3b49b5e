package greenlet_test

import (
	"fmt"
	"runtime"

	"github.com/seed1239206e/repaint/greenlet"
)

// A scheduler gives each job of a reused greenlet the profile labels of the code that started the
// job.
func ExampleLegacy() {
	family, isNew := greenlet.Enter()
	if isNew {
		defer func() { _ = family.Close() }()
	}
	s := family.Scheduler()
	type job struct {
		run    func()
		legacy greenlet.Legacy
	}
	var worker *greenlet.Greenlet
	worker = s.NewHeld(func(arg any) (any, error) {
		for {
			j := arg.(job)
			s.ForgetLegacy() // of the job before
			j.legacy.Inherit()
			j.run()
			arg, _ = worker.Parent().Switch(nil) // wait for the next job
			if arg == nil {
				return nil, nil
			}
		}
	}, greenlet.Current())
	for i := range 2 {
		_, _ = worker.Switch(job{func() { fmt.Println("job", i) }, s.OwnLegacy()})
	}
	_, _ = worker.Switch(nil)
	// Output:
	// job 0
	// job 1
}

// A scheduler compares thread locks to know whether it can switch to a greenlet.
func ExampleThreadLock() {
	before := greenlet.CurrentThreadLock()
	runtime.LockOSThread()
	runtime.UnlockOSThread()
	fmt.Println(before == greenlet.CurrentThreadLock())
	// Output: true
}
