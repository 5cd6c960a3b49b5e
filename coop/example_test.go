package coop_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/loop"
)

// inLoop runs a main function in a loop whose clock is virtual, so that the examples take no time.
func inLoop(main func(ctx context.Context) error) {
	err := repaint.Run(context.Background(), main, loop.VirtualClock(time.Unix(0, 0).UTC()))
	if err != nil {
		fmt.Println("Run:", err)
	}
}

// A thousand tasks ask for one user each, and the database gets one query.
func ExampleLoader() {
	users := coop.NewLoader(func(ctx context.Context, ids []int) (map[int]string, error) {
		fmt.Printf("select … where id = any(%d ids)\n", len(ids))
		rows := make(map[int]string)
		for _, id := range ids {
			rows[id] = fmt.Sprint("user ", id)
		}
		return rows, repaint.Sleep(ctx, time.Millisecond)
	})
	inLoop(func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for i := range 1000 {
			g.Go(func(ctx context.Context) error {
				name, err := users.Load(ctx, i)
				if i == 999 {
					fmt.Println(name)
				}
				return err
			})
		}
		return g.Wait()
	})
	// Output:
	// select … where id = any(1000 ids)
	// user 999
}

// Some keys may fail, and the others succeed.
func ExampleKeyErrors() {
	load := coop.NewLoader(func(ctx context.Context, keys []string) (map[string]int, error) {
		values, errs := make(map[string]int), make(coop.KeyErrors[string])
		for _, key := range keys {
			if key == "secret" {
				errs[key] = errors.New("not allowed")
			} else if key != "nobody" {
				values[key] = len(key)
			}
		}
		return values, errs
	})
	values, err := load.LoadMany(context.Background(), []string{"one", "secret", "nobody", "three"})
	fmt.Println(values)
	fmt.Println(err)
	fmt.Println(errors.Is(err, coop.ErrNotFound))
	// Output:
	// [3 0 0 5]
	// coop: key nobody: coop: not found: nobody; key secret: not allowed
	// true
}

func ExampleLoader_LoadFuture() {
	squares := coop.NewLoader(func(ctx context.Context, ns []int) (map[int]int, error) {
		fmt.Println("batch:", ns)
		values := make(map[int]int)
		for _, n := range ns {
			values[n] = n * n
		}
		return values, nil
	}, coop.Cached(), coop.MaxBatch(100))
	inLoop(func(ctx context.Context) error {
		three, four := squares.LoadFuture(ctx, 3), squares.LoadFuture(ctx, 4)
		for _, f := range []*loop.Future[int]{three, four} {
			v, err := repaint.Await(ctx, f)
			if err != nil {
				return err
			}
			fmt.Println(v)
		}
		return nil
	})
	// Output:
	// batch: [3 4]
	// 9
	// 16
}

// Between two waits no other task runs anyway. A mutex is for data that must stay as they are
// across a wait.
func ExampleMutex() {
	var (
		m       coop.Mutex
		balance = 100
	)
	withdraw := func(ctx context.Context, amount int) error {
		if err := m.Lock(ctx); err != nil {
			return err
		}
		defer m.Unlock()
		if balance < amount {
			return fmt.Errorf("%d is too much", amount)
		}
		if err := repaint.Sleep(ctx, time.Second); err != nil { // asks the bank
			return err
		}
		balance -= amount
		return nil
	}
	inLoop(func(ctx context.Context) error {
		for _, task := range []*repaint.Task[int]{
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 70, withdraw(ctx, 70) }),
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 50, withdraw(ctx, 50) }),
		} {
			amount, err := repaint.Await(ctx, task)
			fmt.Println(amount, err)
		}
		return nil
	})
	fmt.Println("left:", balance)
	// Output:
	// 70 <nil>
	// 50 50 is too much
	// left: 30
}

// A tool that is made in a loop belongs to it, so the loop detects a deadlock and reports the tool
// by name.
func ExampleNamed() {
	inLoop(func(ctx context.Context) error {
		m := coop.NewMutex(coop.Named("accounts"))
		if err := m.Lock(ctx); err != nil {
			return err
		}
		err := m.Lock(ctx) // isn't re-entrant
		var deadlock *repaint.DeadlockError
		if errors.As(err, &deadlock) {
			fmt.Println(deadlock.Waiting[0])
		}
		return nil
	})
	// Output: the main function waits for a coop.Mutex named "accounts"
}

// An Event that is made in the loop but set by a goroutine.
func ExampleUnbound() {
	inLoop(func(ctx context.Context) error {
		ready := coop.NewEvent(coop.Unbound())
		go ready.Set()
		fmt.Println(ready.Wait(ctx))
		return nil
	})
	// Output: <nil>
}

func ExampleRWMutex() {
	var m coop.RWMutex
	config := "old"
	read := func(ctx context.Context) error {
		if err := m.RLock(ctx); err != nil {
			return err
		}
		defer m.RUnlock()
		before := config
		err := repaint.Sleep(ctx, time.Second)
		fmt.Println("a reader sees", before, "and", config)
		return err
	}
	write := func(ctx context.Context) error {
		if err := m.Lock(ctx); err != nil {
			return err
		}
		defer m.Unlock()
		config = "new"
		return nil
	}
	inLoop(func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.Go(read)
		g.Go(read)
		g.Go(write)
		g.Go(read) // after the writer
		return g.Wait()
	})
	// Output:
	// a reader sees old and old
	// a reader sees old and old
	// a reader sees new and new
}

func ExampleSemaphore() {
	limit := coop.NewSemaphore(2)
	start := time.Time{}
	inLoop(func(ctx context.Context) error {
		l := repaint.CurrentLoop()
		start = l.Now()
		g := repaint.NewGroup(ctx)
		for i := range 4 {
			g.Go(func(ctx context.Context) error {
				if err := limit.Acquire(ctx, 1); err != nil {
					return err
				}
				defer limit.Release(1)
				err := repaint.Sleep(ctx, time.Second)
				fmt.Println(i, "after", l.Now().Sub(start))
				return err
			})
		}
		return g.Wait()
	})
	// Output:
	// 0 after 1s
	// 1 after 1s
	// 2 after 2s
	// 3 after 2s
}

func ExampleEvent() {
	inLoop(func(ctx context.Context) error {
		ready := coop.NewEvent()
		g := repaint.NewGroup(ctx)
		for i := range 2 {
			g.Go(func(ctx context.Context) error {
				err := ready.Wait(ctx)
				fmt.Println(i, "goes")
				return err
			})
		}
		fmt.Println("ready")
		ready.Set()
		return g.Wait()
	})
	// Output:
	// ready
	// 0 goes
	// 1 goes
}

func ExampleCond() {
	inLoop(func(ctx context.Context) error {
		m := coop.NewMutex()
		arrived := coop.NewCond(m)
		guests := 0
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			if err := m.Lock(ctx); err != nil {
				return err
			}
			defer m.Unlock()
			if err := arrived.WaitFor(ctx, func() bool { return guests >= 3 }); err != nil {
				return err
			}
			fmt.Println("dinner for", guests)
			return nil
		})
		for range 3 {
			g.Go(func(ctx context.Context) error {
				if err := m.Lock(ctx); err != nil {
					return err
				}
				defer m.Unlock()
				guests++
				arrived.Signal()
				return nil
			})
		}
		return g.Wait()
	})
	// Output: dinner for 3
}

func ExampleBarrier() {
	inLoop(func(ctx context.Context) error {
		b := coop.NewBarrier(3)
		g := repaint.NewGroup(ctx)
		for i := range 3 {
			g.Go(func(ctx context.Context) error {
				if err := repaint.Sleep(ctx, time.Duration(3-i)*time.Second); err != nil {
					return err
				}
				fmt.Println(i, "is there")
				index, err := b.Wait(ctx)
				if index == 0 {
					fmt.Println(i, "was the first, and counts to three")
				}
				return err
			})
		}
		return g.Wait()
	})
	// Output:
	// 2 is there
	// 1 is there
	// 0 is there
	// 2 was the first, and counts to three
}

func ExampleQueue() {
	inLoop(func(ctx context.Context) error {
		q := coop.NewQueue[string](1)
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			defer q.Close()
			for _, item := range []string{"one", "two", "three"} {
				if err := q.Put(ctx, item); err != nil {
					return err
				}
			}
			return nil
		})
		for item, err := range q.All(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(item)
		}
		return g.Wait()
	})
	// Output:
	// one
	// two
	// three
}

func ExampleNewPriority() {
	type job struct {
		urgency int
		name    string
	}
	q := coop.NewPriority(0, func(a, b job) bool { return a.urgency > b.urgency })
	for _, j := range []job{{1, "sweep"}, {9, "fire"}, {1, "mop"}, {5, "phone"}} {
		q.TryPut(j)
	}
	for j, ok := q.TryGet(); ok; j, ok = q.TryGet() {
		fmt.Println(j.name)
	}
	// Output:
	// fire
	// phone
	// sweep
	// mop
}

// Workers, and a wait until all of the work is done.
func ExampleQueue_Join() {
	inLoop(func(ctx context.Context) error {
		q := coop.NewQueue[int](0)
		sum := 0
		for range 3 {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				for n, err := range q.All(ctx) {
					if err != nil {
						return 0, err
					}
					_ = repaint.Sleep(ctx, time.Second)
					sum += n
					q.TaskDone()
				}
				return 0, nil
			})
		}
		for n := range 10 {
			q.TryPut(n)
		}
		err := q.Join(ctx)
		fmt.Println(sum)
		return err
	})
	// Output: 45
}

func ExampleOnce() {
	var connected coop.Once
	attempts := 0
	connect := func(ctx context.Context) error {
		attempts++
		if attempts == 1 {
			return errors.New("no answer")
		}
		return repaint.Sleep(ctx, time.Second)
	}
	inLoop(func(ctx context.Context) error {
		fmt.Println(connected.Do(ctx, connect))
		g := repaint.NewGroup(ctx)
		for range 10 {
			g.Go(func(ctx context.Context) error { return connected.Do(ctx, connect) })
		}
		err := g.Wait()
		fmt.Println(attempts, "attempts")
		return err
	})
	// Output:
	// no answer
	// 2 attempts
}

func ExampleOnceValue() {
	config := coop.OnceValue(func(ctx context.Context) (string, error) {
		fmt.Println("reading")
		return "debug=on", repaint.Sleep(ctx, time.Second)
	})
	inLoop(func(ctx context.Context) error {
		values, err := repaint.Gather(ctx, config, config)
		fmt.Println(values)
		return err
	})
	// Output:
	// reading
	// [debug=on debug=on]
}

func ExampleShared() {
	var rates coop.Shared[string, float64]
	rate := func(ctx context.Context) (float64, error) {
		return rates.Do(ctx, "EUR", func(ctx context.Context) (float64, error) {
			fmt.Println("asking the bank")
			return 1.1, repaint.Sleep(ctx, time.Second)
		})
	}
	inLoop(func(ctx context.Context) error {
		values, err := repaint.Gather(ctx, rate, rate, rate)
		fmt.Println(values)
		return err
	})
	// Output:
	// asking the bank
	// [1.1 1.1 1.1]
}

func ExampleLocal() {
	var requestID coop.Local[int]
	log := func(text string) { // without a context
		id, _ := requestID.Get()
		fmt.Printf("[%d] %s\n", id, text)
	}
	inLoop(func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for id := range 2 {
			g.Go(func(ctx context.Context) error {
				requestID.Set(id)
				log("begins")
				defer log("ends")
				return repaint.Sleep(ctx, time.Second)
			})
		}
		return g.Wait()
	})
	// Output:
	// [0] begins
	// [1] begins
	// [0] ends
	// [1] ends
}

func ExampleLocal_With() {
	var user coop.Local[string]
	user.With("Ada", func() { // in a plain goroutine, too
		name, _ := user.Get()
		fmt.Println(name)
	})
	_, ok := user.Get()
	fmt.Println(ok)
	// Output:
	// Ada
	// false
}

func ExampleTicker() {
	inLoop(func(ctx context.Context) error {
		tick := coop.NewTicker(10 * time.Second)
		n := 0
		for at, err := range tick.All(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(at.Format("05"))
			if n++; n == 3 {
				tick.Stop()
			}
			if n == 1 {
				_ = repaint.Sleep(ctx, 25*time.Second) // too long
			}
		}
		fmt.Println(tick.Missed(), "missed")
		return nil
	})
	// Output:
	// 10
	// 30
	// 40
	// 1 missed
}
