package clients

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
)

// A queue is a client's view of lists of a Redis server.
type queue interface {
	push(ctx context.Context, list, item string) error
	// pop waits for an item.
	pop(ctx context.Context, list string, limit time.Duration) (string, error)
	close() error
}

// errsEmpty are what pop returns if no item comes.
var errsEmpty = []error{redis.ErrNil, goredis.Nil}

type redigo struct{ pool *redis.Pool }

func openRedigo(addr string) queue {
	dialer := new(repaint.Dialer)
	return redigo{&redis.Pool{MaxIdle: callers, DialContext: func(ctx context.Context) (redis.Conn, error) {
		return redis.DialContext(ctx, "tcp", addr, redis.DialContextFunc(dialer.DialContext))
	}}}
}

func (q redigo) do(ctx context.Context, limit time.Duration, command string, args ...any) (any, error) {
	c, err := q.pool.GetContext(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return redis.DoWithTimeout(c, limit, command, args...)
}

func (q redigo) push(ctx context.Context, list, item string) error {
	_, err := q.do(ctx, patience, "RPUSH", list, item)
	return err
}

func (q redigo) pop(ctx context.Context, list string, limit time.Duration) (string, error) {
	pair, err := redis.Strings(q.do(ctx, limit+patience, "BLPOP", list, limit.Seconds()))
	if err != nil {
		return "", err
	}
	return pair[1], nil
}

func (q redigo) close() error { return q.pool.Close() }

type goRedis struct{ client *goredis.Client }

// openGoRedis opens as many connections as there are callers, because a caller waits on a channel
// for another's connection. Notices of maintenance are off, because go-redis holds a mutex while it
// asks for them, for which tasks of one loop would wait in a circle.
func openGoRedis(addr string) queue {
	return goRedis{goredis.NewClient(&goredis.Options{
		Addr: addr, Dialer: new(repaint.Dialer).DialContext, PoolSize: callers, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}
}

func (q goRedis) push(ctx context.Context, list, item string) error {
	return q.client.RPush(ctx, list, item).Err()
}

func (q goRedis) pop(ctx context.Context, list string, limit time.Duration) (string, error) {
	pair, err := q.client.BLPop(ctx, limit, list).Result()
	if err != nil {
		return "", err
	}
	return pair[1], nil
}

func (q goRedis) close() error { return q.client.Close() }

const (
	callers  = 20 // tasks or goroutines at once: one half waits for items, the other pushes them
	patience = time.Minute
)

var queues = map[string]func(addr string) queue{"redigo": openRedigo, "go-redis": openGoRedis}

func TestRedis(t *testing.T) {
	for name, open := range queues {
		t.Run(name, func(t *testing.T) {
			inBothColours(t, func(ctx context.Context, t *testing.T) {
				q := open(miniredis.RunT(t).Addr())
				defer func() { assert.NoError(t, q.close()) }()
				var waiting, pushing work
				for i := range callers / 2 {
					list := fmt.Sprint("list ", i)
					waiting = append(waiting, func(ctx context.Context) error {
						item, err := q.pop(ctx, list, patience)
						if err == nil && item != "of "+list {
							err = fmt.Errorf("%s: %q", list, item)
						}
						return err
					})
					pushing = append(pushing, func(ctx context.Context) error { return q.push(ctx, list, "of "+list) })
				}
				require.NoError(t, atOnce(ctx, append(waiting, pushing...)))
			})
		})
	}
}

// A wait that ends in vain ends only itself, and its connection is of use afterwards.
func TestRedisWaitsInVain(t *testing.T) {
	for name, open := range queues {
		t.Run(name, func(t *testing.T) {
			inBothColours(t, func(ctx context.Context, t *testing.T) {
				server := miniredis.RunT(t)
				q := open(server.Addr())
				defer func() { assert.NoError(t, q.close()) }()
				_, err := q.pop(ctx, "empty", 100*time.Millisecond)
				assert.Contains(t, errsEmpty, err)
				require.NoError(t, q.push(ctx, "list", "item"))
				item, err := q.pop(ctx, "list", patience)
				require.NoError(t, err)
				assert.Equal(t, "item", item)

				// The connection is lost while a task waits.
				err = atOnce(ctx, work{
					func(ctx context.Context) error {
						_, err := q.pop(ctx, "empty", patience)
						return err
					},
					func(ctx context.Context) error {
						for limit := time.Now().Add(patience); server.CurrentConnectionCount() == 0 && time.Now().Before(limit); {
							if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
								return err
							}
						}
						server.Close()
						return nil
					},
				})
				require.Error(t, err)
			})
		})
	}
}
