package repaint_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// lastReady is an explorer that runs the latest request first, and records the reports that it
// gets.
type lastReady struct{ told []string }

func (e *lastReady) note(parts ...string) { e.told = append(e.told, strings.Join(parts, " ")) }

func (e *lastReady) Choose(ready []loop.Runnable) int {
	e.note("choose", ready[len(ready)-1].(loop.Owned).LoopOwner())
	return len(ready) - 1
}
func (e *lastReady) TaskBegins(t explore.Task)          { e.note("begins", t.ID, t.Name) }
func (e *lastReady) TaskEnds(id string, _ bool)         { e.note("ends", id) }
func (e *lastReady) Turn(context.Context, string) error { return nil }
func (e *lastReady) Follow(explore.Followed)            {}
func (e *lastReady) Execute(ctx context.Context, _ explore.Statement, do func(ctx context.Context) (string, error)) error {
	_, err := do(ctx)
	return err
}
func (e *lastReady) TaskWaits(id, waitsFor, place string) {
	e.note("waits", id, waitsFor, strings.Split(place, ":")[0])
}

func TestExplorerIsToldOfTasksAndChoosesAmongThemAndTheMainFunction(t *testing.T) {
	e := new(lastReady)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		nothing := func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, 0) }
		repaint.Spawn(ctx, nothing, repaint.Named("first"))
		second := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return repaint.Await(ctx, repaint.Spawn(ctx, nothing))
		})
		if _, err := repaint.Await(ctx, second); err != nil {
			return err
		}
		return repaint.Sleep(ctx, time.Hour)
	}, loop.ChooseBy(e), loop.VirtualClock(time.Now()))
	require.NoError(t, err)
	require.Equal(t, []string{
		"begins 1 first", "waits 1 its next turn explored_test.go",
		"begins 2 ", "begins 2.1 ", "waits 2.1 its next turn explored_test.go",
	}, e.told[:5])
	require.Regexp(t, `^waits 2 task 3 \[.*\] explored_test.go$`, e.told[5])
	require.Regexp(t, `^waits main task 2 \[.*\] explored_test.go$`, e.told[6])
	require.Equal(t, []string{
		"choose 2.1", "ends 2.1", "choose 2", "ends 2",
		"choose main", "waits main a sleep explored_test.go",
		"choose 1", "ends 1", "choose main",
	}, e.told[7:])
}

// mainLast runs the main function only if nothing else is ready.
type mainLast struct{ lastReady }

func (e *mainLast) Choose(ready []loop.Runnable) int {
	for i, r := range ready {
		if r.(loop.Owned).LoopOwner() != explore.Main {
			return i
		}
	}
	return 0
}

func TestMainFunctionOfAnExploringLoopCanBeOvertaken(t *testing.T) {
	order := ""
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		first := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, 0) })
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			for range 3 {
				if err := repaint.Sleep(ctx, 0); err != nil {
					return 0, err
				}
				order += "t"
			}
			return 0, nil
		})
		_, err := repaint.Await(ctx, first)
		order += "m"
		return err
	}, loop.ChooseBy(new(mainLast)))
	require.NoError(t, err)
	require.Equal(t, "tttm", order)
}

func TestMainFunctionOfAnExploringLoopHearsOfItsContextsEnd(t *testing.T) {
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		repaint.Spawn(ctx, func(context.Context) (int, error) { cancel(); return 0, nil })
		return repaint.Sleep(ctx, time.Hour)
	}, loop.ChooseBy(new(mainLast)), loop.VirtualClock(time.Now()))
	require.ErrorIs(t, err, context.Canceled)
}
