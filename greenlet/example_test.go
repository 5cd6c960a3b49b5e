package greenlet_test

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/seed1239206e/repaint/greenlet"
)

// Two functions hand control back and forth.
func ExampleGreenlet() {
	var one, two *greenlet.Greenlet
	one = greenlet.New(func(any) (any, error) {
		fmt.Println("one")
		_, _ = two.Switch(nil)
		fmt.Println("one again")
		return nil, nil
	})
	two = greenlet.New(func(any) (any, error) {
		fmt.Println("two")
		_, _ = one.Switch(nil)
		panic("unreachable: no greenlet switches here again")
	})
	_, _ = one.Switch(nil)
	// Output:
	// one
	// two
	// one again
}

// Each Switch takes a value along, and returns the value that comes back.
func ExampleGreenlet_Switch() {
	sum := greenlet.New(func(arg any) (any, error) {
		total, parent := 0, greenlet.Current().Parent()
		for {
			total += arg.(int)
			var err error
			if arg, err = parent.Switch(total); err != nil {
				return nil, err
			}
		}
	})
	for i := 1; i <= 3; i++ {
		total, _ := sum.Switch(i)
		fmt.Println(total)
	}
	_, err := sum.Throw(errors.New("enough"))
	fmt.Println(err, sum.Dead())
	// Output:
	// 1
	// 3
	// 6
	// enough true
}

// A family made by Enter ends with Close, which unwinds its suspended greenlets.
func ExampleFamily() {
	family, _ := greenlet.Enter()
	defer family.Close()
	root := greenlet.Current()
	g := greenlet.New(func(any) (any, error) {
		defer fmt.Println("cleaned up")
		return root.Switch("waiting")
	})
	v, _ := g.Switch(nil)
	fmt.Println(v)
	// Output:
	// waiting
	// cleaned up
}

// A parent other than the creator gets what the function returns.
func ExampleOption() {
	reporter := greenlet.New(func(arg any) (any, error) {
		return fmt.Sprintf("reported: %v", arg), nil
	}, greenlet.Name("reporter"))
	worker := greenlet.New(func(any) (any, error) {
		return 42, nil
	}, greenlet.Name("worker"), greenlet.Parent(reporter))
	fmt.Println(worker.Switch(nil))
	// Output: reported: 42 <nil>
}

func ExampleTracer() {
	family, _ := greenlet.Enter()
	defer family.Close()
	name := func(g *greenlet.Greenlet) string {
		if g.Parent() == nil {
			return "root"
		}
		return "child"
	}
	var trace greenlet.Tracer = func(event greenlet.Event, origin, target *greenlet.Greenlet) {
		fmt.Println(event, name(origin), "->", name(target))
	}
	remove := family.AddTracer(trace)
	_, _ = greenlet.New(func(any) (any, error) { return nil, nil }).Switch(nil)
	remove()
	// Output:
	// switch root -> child
	// switch child -> root
}

func ExampleEvent() {
	family, _ := greenlet.Enter()
	defer family.Close()
	defer family.AddTracer(func(event greenlet.Event, _, _ *greenlet.Greenlet) {
		if event == greenlet.Thrown {
			fmt.Println("something went wrong")
		}
	})()
	_, err := greenlet.New(func(any) (any, error) { return nil, errors.New("boom") }).Switch(nil)
	fmt.Println(err)
	// Output:
	// something went wrong
	// boom
}

// A panic arrives in the parent, with the stack on which it happened.
func ExamplePanicError() {
	defer func() {
		p := recover().(*greenlet.PanicError)
		fmt.Println(p.Value, errors.Is(p, os.ErrNotExist))
		fmt.Println("stack:", strings.Contains(string(p.Stack), "ExamplePanicError"))
	}()
	_, _ = greenlet.New(func(any) (any, error) { panic(os.ErrNotExist) }).Switch(nil)
	// Output:
	// file does not exist true
	// stack: true
}

// The traceback of a panic continues through the parents.
func ExampleTraceback() {
	defer func() {
		p := recover().(*greenlet.PanicError)
		for _, parent := range p.Parents {
			name, _, _ := strings.Cut(parent.Greenlet, " ")
			fmt.Println(name, strings.Contains(string(parent.Stack), "ExampleTraceback"))
		}
	}()
	_, _ = greenlet.New(func(any) (any, error) {
		return greenlet.New(func(any) (any, error) { panic("boom") }).Switch(nil)
	}).Switch(nil)
	// Output:
	// greenlet true
	// root true
}

func ExampleFamilyError() {
	g := greenlet.New(func(any) (any, error) { return nil, nil })
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := g.Switch(nil)
		var wrong *greenlet.FamilyError
		fmt.Println(errors.As(err, &wrong), wrong.Op, wrong.Greenlet == g.String())
	}()
	<-done
	// Output: true switch to true
}

func ExampleCensus() {
	family, _ := greenlet.Enter()
	root := greenlet.Current()
	g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
	_, _ = g.Switch(nil)
	during := greenlet.Count()
	_ = family.Close()
	after := greenlet.Count()
	fmt.Println("fewer goroutines:", after.Goroutines < during.Goroutines)
	// Output: fewer goroutines: true
}

func ExampleStacks() {
	f, _ := greenlet.Enter()
	defer func() { _ = f.Close() }()
	root := greenlet.Current()
	g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
	_, _ = g.Switch(nil)
	stacks := greenlet.TakeStacks()
	fmt.Println(strings.Contains(string(stacks.Of(g)), "ExampleStacks"))
	// Output: true
}
