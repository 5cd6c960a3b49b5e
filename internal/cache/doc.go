// Package cache has the containers that drivers use: an [LRU] for the values of one connection, a
// [SecondChance] for values that all callers look up at once, and a [Ring] for values that wait in
// order.
package cache
