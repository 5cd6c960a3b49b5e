// Package cache has what drivers keep things in: an [LRU] for what one connection has, a
// [SecondChance] for what all callers look up at once, and a [Ring] for what waits in order.
package cache
