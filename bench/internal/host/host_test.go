package host

import (
	"slices"
	"testing"
)

func TestTheFirstFailureEndsItAndCleanupsRunBackwards(t *testing.T) {
	var order []int
	err := Run(func(tb testing.TB) {
		tb.Cleanup(func() { order = append(order, 1) })
		tb.Cleanup(func() { order = append(order, 2); tb.Errorf("second") })
		tb.Fatalf("the %s", "first")
		order = append(order, 0)
	})
	if err == nil || err.Error() != "the first" {
		t.Error(err)
	}
	if !slices.Equal(order, []int{2, 1}) {
		t.Error(order)
	}
}

func TestNoFailureIsNoError(t *testing.T) {
	if err := Run(func(testing.TB) {}); err != nil {
		t.Error(err)
	}
}

func TestAServerThatIsntThereIsLacking(t *testing.T) {
	var why string
	if err := Run(func(tb testing.TB) { why = Lacks(tb, func(tb testing.TB) { tb.Skipf("no %s", "server") }) }); err != nil || why != "no server" {
		t.Error(why, err)
	}
	if err := Run(func(tb testing.TB) { why = Lacks(tb, func(tb testing.TB) {}) }); err != nil || why != "" {
		t.Error(why, err)
	}
	err := Run(func(tb testing.TB) { Lacks(tb, func(tb testing.TB) { tb.Fatalf("it %s", "fails") }) })
	if err == nil || err.Error() != "it fails" {
		t.Error(err)
	}
}
