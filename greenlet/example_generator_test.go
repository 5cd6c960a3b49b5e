package greenlet_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/greenlet"
)

func ExampleGenerate() {
	for v := range greenlet.Generate(func(yield func(string)) {
		defer fmt.Println("unwound")
		for i := 1; ; i++ {
			yield(strings.Repeat("*", i))
		}
	}) {
		if len(v) == 3 {
			break
		}
		fmt.Println(len(v), v)
	}
	// Output:
	// 1 *
	// 2 **
	// unwound
}

// Next returns one value at a time, without a loop.
func ExampleGenerator() {
	fibonacci := greenlet.NewGenerator(func(yield func(int)) {
		for a, b := 0, 1; ; a, b = b, a+b {
			yield(a)
		}
	})
	defer fibonacci.Stop()
	for range 5 {
		v, _ := fibonacci.Next()
		fmt.Print(v, " ")
	}
	// Output: 0 1 1 2 3
}

// Permutations by recursion: the innermost call yields, and no call has to pass anything up.
func ExampleGenerator_permutations() {
	var permute func(done, left []int, yield func([]int))
	permute = func(done, left []int, yield func([]int)) {
		if len(left) == 0 {
			yield(slices.Clone(done))
		}
		for i, v := range left {
			permute(append(done, v), slices.Concat(left[:i], left[i+1:]), yield)
		}
	}
	permutations := greenlet.Generate(func(yield func([]int)) { permute(nil, []int{1, 2, 3}, yield) })
	n := 0
	for p := range permutations {
		n++
		fmt.Println(n, p)
	}
	// Output:
	// 1 [1 2 3]
	// 2 [1 3 2]
	// 3 [2 1 3]
	// 4 [2 3 1]
	// 5 [3 1 2]
	// 6 [3 2 1]
}

// Two generators side by side, each with a stack of its own.
func ExampleGenerator_Next() {
	letters := greenlet.NewGenerator(func(yield func(string)) {
		for _, l := range []string{"a", "b", "c"} {
			yield(l)
		}
	})
	numbers := greenlet.NewGenerator(func(yield func(int)) {
		for i := 1; ; i++ {
			yield(i * i)
		}
	})
	defer numbers.Stop()
	for l := range letters.All() {
		n, _ := numbers.Next()
		fmt.Print(l, n, " ")
	}
	// Output: a1 b4 c9
}

// Hand-made generators that nest: a generator can yield a value past the enclosing generator, to
// the enclosing generator's consumer. The example comes from Python's greenlet. A generator's parent
// is its present consumer, so yielding to a level means switching to that ancestor. The switch
// passes over the generators between, and the consumer resumes the generator that yielded.
func ExampleGreenlet_nestedGenerators() {
	type end struct{}
	yielder := make(map[*greenlet.Greenlet]*greenlet.Greenlet)
	generate := func(body func(yield func(v any, level int))) func() (any, bool) {
		g := greenlet.New(func(any) (any, error) {
			body(func(v any, level int) {
				me := greenlet.Current()
				outermost := me
				for range level - 1 {
					outermost = outermost.Parent()
				}
				yielder[outermost] = me
				_, _ = outermost.Parent().Switch(v)
			})
			return end{}, nil
		})
		yielder[g] = g
		return func() (any, bool) {
			_ = g.SetParent(greenlet.Current())
			v, _ := yielder[g].Switch(nil)
			return v, v != end{}
		}
	}
	inner := generate(func(yield func(any, int)) {
		yield("to the outer one", 1)
		yield("past it, to its consumer", 2)
		yield("to the outer one again", 1)
	})
	outer := generate(func(yield func(any, int)) {
		for v, ok := inner(); ok; v, ok = inner() {
			yield(fmt.Sprint("passed on: ", v), 1)
		}
	})
	for v, ok := outer(); ok; v, ok = outer() {
		fmt.Println(v)
	}
	// Output:
	// passed on: to the outer one
	// past it, to its consumer
	// passed on: to the outer one again
}
