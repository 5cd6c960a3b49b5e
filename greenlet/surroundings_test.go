package greenlet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func TestGreenletsInASynctestBubble(t *testing.T) {
	leakcheck.Test(t)
	for range 3 { // nothing of one bubble remains for the next
		synctest.Test(t, func(t *testing.T) {
			f, isNew := greenlet.Enter()
			require.True(t, isNew)
			root := greenlet.Current()
			start := time.Now()
			ticks := greenlet.NewGenerator(func(yield func(time.Duration)) {
				for {
					time.Sleep(time.Hour)
					yield(time.Since(start))
				}
			})
			for i := range 3 {
				d, _ := ticks.Next()
				require.Equal(t, time.Duration(i+1)*time.Hour, d, "the clock of the bubble runs while a greenlet sleeps")
			}
			g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
			_, _ = g.Switch(nil)
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(time.Minute)
				_, err := g.Switch(nil)
				require.ErrorIs(t, err, greenlet.ErrOtherFamily)
			}()
			<-done
			synctest.Wait()
			require.NoError(t, f.Close())
		})
	}
}
