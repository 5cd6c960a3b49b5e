package suggest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClosest(t *testing.T) {
	known := []string{"pool_size", "pool_lanes", "max_allowed_packet", "mode", "jit", "search_path"}
	for name, want := range map[string]string{
		"pool_lane": "pool_lanes", "poolLanes": "pool_lanes", "pool-size": "pool_size", "POOL_SIZE": "pool_size", "maxAllowedPacket": "max_allowed_packet",
		"mod": "mode", "serach_path": "search_path", "pool_max_conns": "", "x": "", "": "", "jot": "jit", "git": "jit", "abc": "",
	} {
		require.Equal(t, want, Closest(name, known), name)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"ab", "ba", 2}} {
		require.Equal(t, c.want, distance(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, c.want, distance(c.b, c.a), "%s %s", c.b, c.a)
	}
}
