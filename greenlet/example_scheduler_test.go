package greenlet_test

import (
	"fmt"

	"github.com/seed1239206e/repaint/greenlet"
)

// A scheduler finds itself from any of its family's greenlets, and lets a greenlet that no other
// code knows run one job after another.
func ExampleScheduler() {
	family, _ := greenlet.Enter()
	defer func() { _ = family.Close() }()
	root := greenlet.Current()
	s := family.Scheduler()
	s.SetValue("the scheduler")

	worker := s.NewHeld(func(job any) (any, error) {
		for {
			fmt.Println(greenlet.Lookup().Family().Scheduler().Value(), "runs", job)
			if !s.Reusable(greenlet.Lookup()) {
				return "used up", nil
			}
			s.ForgetLegacy()
			job, _ = root.Switch("reusable")
		}
	}, root)
	for _, job := range []string{"job 1", "job 2"} {
		state, _ := worker.Switch(job)
		fmt.Println(state)
	}
	// Output:
	// the scheduler runs job 1
	// reusable
	// the scheduler runs job 2
	// reusable
}
