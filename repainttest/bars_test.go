package repainttest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBarsAreTransactionsWithTheirOutcomes(t *testing.T) {
	one, two := user{session: 1}, user{session: 2}
	for name, c := range map[string]struct {
		events []event
		want   []pageBar
	}{
		"committed": {
			[]event{{what: "begin isolation level serializable"}, {what: "select 1"}, {what: "COMMIT"}},
			[]pageBar{{From: 2, To: 4, Kind: "committed"}},
		},
		"rolled back, not to a savepoint": {
			[]event{{what: "start transaction"}, {what: "rollback to savepoint a"}, {what: "rollback to a"}, {what: "rollback"}},
			[]pageBar{{From: 2, To: 5, Kind: "rolled-back"}},
		},
		"the answer to the commit is lost": {
			[]event{{what: "begin"}, {what: "commit", failed: true}},
			[]pageBar{{From: 2, To: 3, Kind: "unknown"}},
		},
		"never ended":    {[]event{{what: "begin"}, {what: "select 1"}}, []pageBar{{From: 2, To: 3, Kind: "open"}}},
		"never begun":    {[]event{{what: "begin", failed: true}, {what: "rollback"}}, nil},
		"in one text":    {[]event{{what: "begin; insert into t values (1); commit"}}, []pageBar{{From: 2, To: 2, Kind: "committed"}}},
		"no transaction": {[]event{{what: "insert into begin values (1)"}, {what: ""}}, nil},
		"two at once": {
			[]event{{what: "begin", session: one}, {what: "begin", session: two}, {what: "commit", session: one}, {what: "rollback", session: two}},
			[]pageBar{{From: 2, To: 4, Kind: "committed"}, {From: 3, To: 5, Lane: 1, Kind: "rolled-back"}},
		},
		"a begin after one that was lost": {
			[]event{{what: "begin"}, {what: "begin"}, {what: "commit"}},
			[]pageBar{{From: 2, To: 3, Kind: "unknown"}, {From: 3, To: 4, Kind: "committed"}},
		},
		"a wait": {
			[]event{{what: "begin"}, {what: "update t", result: waitsForLock}, {kind: waits}, {what: "update t", result: "1 row"}, {what: "commit"}},
			[]pageBar{{From: 2, To: 6, Kind: "committed"}, {From: 3, To: 5, Lane: 1, Kind: "waiting"}},
		},
		"a wait that nothing ends": {
			[]event{{what: "update t", holders: []string{"2"}}, {kind: ends}},
			[]pageBar{{From: 2, To: 3, Kind: "waiting"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := barsOf{columns: map[string]int{"1": 3}}
			for i, e := range c.events {
				e.task = "1"
				if e.kind == begins {
					e.kind = sends
				}
				b.see(e, i+2)
			}
			var got []pageBar
			for _, bar := range b.end(len(c.events) + 1) {
				require.Equal(t, 3, bar.Column)
				require.NotEmpty(t, bar.Title)
				bar.Column, bar.Title = 0, ""
				got = append(got, bar)
			}
			require.Equal(t, c.want, got)
		})
	}
}
