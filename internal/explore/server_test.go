package explore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answers gives rows to queries that contain a text.
func answers(rows map[string][][]string) Query {
	return func(_ context.Context, text string) ([][]string, error) {
		for part, r := range rows {
			if strings.Contains(text, part) {
				return r, nil
			}
		}
		return nil, errors.New("no rights")
	}
}

func TestServersSayWhoWaitsForWhom(t *testing.T) {
	const status = "---TRANSACTION 5, ACTIVE 0 sec\nLOCK WAIT 2 lock struct(s)\nMariaDB thread id 7, OS thread\n" +
		"---TRANSACTION 4, ACTIVE 1 sec\n2 lock struct(s)\nMariaDB thread id 8, OS thread\n" +
		"---TRANSACTION 3, ACTIVE 1 sec\nLOCK WAIT 2 lock struct(s)\nMySQL thread id 99, OS thread\n"
	for name, c := range map[string]struct {
		server Server
		want   map[int64][]int64
	}{
		"PostgreSQL": {&Postgres{answers(map[string][][]string{"'{7,8,9}'": {{"7", "8,0"}, {"8", ""}, {"9", ""}}})}, map[int64][]int64{7: {8, 0}}},
		"MySQL":      {&MySQL{answers(map[string][][]string{"data_lock_waits": {{"7", "8"}, {"7", "8"}, {"99", "8"}}})}, map[int64][]int64{7: {8}}},
		"MariaDB":    {&MariaDB{answers(map[string][][]string{"innodb status": {{"InnoDB", "", status}}, "processlist": {{"9"}, {"99"}}})}, map[int64][]int64{7: nil, 9: nil}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.server.Waiting(t.Context(), []int64{7, 8, 9})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	holders, err := (&MariaDB{answers(map[string][][]string{"innodb_lock_waits": {{"7", "8"}, {"99", "8"}}})}).Holders(t.Context(), []int64{7})
	require.NoError(t, err)
	require.Equal(t, map[int64][]int64{7: {8}}, holders)
}

func TestServersNoticeWhenASessionIsGone(t *testing.T) {
	for _, server := range []Server{
		&Postgres{answers(map[string][][]string{"pid = 7": {{"7"}}, "pid = 8": nil})},
		&MySQL{answers(map[string][][]string{"id = 7": {{"7"}}, "id = 8": nil})},
		&MariaDB{answers(map[string][][]string{"id = 7": {{"7"}}, "id = 8": nil})},
	} {
		gone, err := server.Gone(t.Context(), 7)
		require.NoError(t, err)
		require.False(t, gone)
		gone, err = server.Gone(t.Context(), 8)
		require.NoError(t, err)
		require.True(t, gone)
	}
}

func TestProbeWithoutRightsSaysWhichItNeeds(t *testing.T) {
	refuses := answers(nil)
	_, err := (&MariaDB{refuses}).Waiting(t.Context(), []int64{1})
	require.ErrorContains(t, err, "PROCESS privilege")
	_, err = (&MariaDB{refuses}).Holders(t.Context(), []int64{1})
	require.ErrorContains(t, err, "PROCESS privilege")
	_, err = (&MySQL{refuses}).Waiting(t.Context(), []int64{1})
	require.ErrorContains(t, err, "SELECT on performance_schema")
	_, err = (&Postgres{refuses}).Waiting(t.Context(), []int64{1})
	require.ErrorContains(t, err, "asking PostgreSQL")
}
