package pg

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestATokenIsAText(t *testing.T) {
	for text, want := range map[string]Token{
		"": {}, "1:0/16B3748": {1, 0x16B3748}, "0/16B3748": {0, 0x16B3748}, "4294967295:FFFFFFFF/FFFFFFFF": {1<<32 - 1, 1<<64 - 1}, "7:A/0": {7, 0xA << 32},
	} {
		got, err := ParseToken(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
		encoded, err := json.Marshal(got)
		require.NoError(t, err)
		var back Token
		require.NoError(t, json.Unmarshal(encoded, &back))
		require.Equal(t, want, back)
	}
	for _, text := range []string{"1", "1:", "x:0/1", "1:0/", "1:/1", "-1:0/1", "1:0/100000000", "4294967296:0/1", "1:0/1/2", "1:0/g", " 1:0/1", "0/1:1"} {
		_, err := ParseToken(text)
		require.ErrorContains(t, err, "no token", text)
		var token Token
		require.Error(t, token.UnmarshalText([]byte(text)))
	}
}

func TestOfSeveralTokensTheLaterOneCounts(t *testing.T) {
	ctx := context.Background()
	require.Equal(t, ctx, WaitFor(ctx, Token{}))
	one := WaitFor(ctx, Token{1, 100})
	require.Equal(t, Token{1, 100}, tokenOf(WaitFor(one, Token{1, 99})))
	require.Equal(t, Token{1, 101}, tokenOf(WaitFor(one, Token{1, 101})))
	require.Equal(t, Token{2, 50}, tokenOf(WaitFor(one, Token{2, 50})), "another log")
	require.Equal(t, Token{1, 100}, tokenOf(WaitFor(one, Token{})))
}

// A standby that has replayed everything stands before the header of the next page.
func TestATokenDoesNotReachIntoAnEmptyPage(t *testing.T) {
	const block, segment = 8192, 16 << 20
	for lsn, want := range map[uint64]uint64{
		segment + 40: segment, segment + 48: segment + 48, block + 24: block, block + 40: block + 40, block + 32: block + 32, 3*block - 8: 3*block - 8,
	} {
		require.Equal(t, want, beforeHeader(lsn, block, segment), lsn)
	}
	require.EqualValues(t, 24, beforeHeader(24, 0, 0))
}

// rolesOf makes roles with the sightings that a test gives.
func rolesOf(t *testing.T, options string, all ...sighting) *roles {
	t.Helper()
	config, err := ParseConfig("postgres://u@a,b,c/d?reader_target=prefer-standby&sslmode=disable" + options)
	require.NoError(t, err)
	db, err := OpenConfig(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.Background())) })
	db.roles.once.Do(func() {})
	for i, s := range all {
		db.roles.saw(db.roles.nodes[i], s, nil)
	}
	return db.roles
}

func TestWhichStandbyCoversAToken(t *testing.T) {
	primary := sighting{role: RolePrimary, timeline: 2, lsn: 200, newest: 200}
	standby := func(timeline uint32, lsn uint64) sighting {
		return sighting{role: RoleStandby, timeline: timeline, lsn: lsn, newest: lsn}
	}
	for _, c := range []struct {
		token    Token
		one, two sighting
		lost     bool
		want     int // the node, or 0
	}{
		{token: Token{2, 150}, one: standby(2, 140), two: standby(2, 150), want: 2},
		{token: Token{2, 150}, one: standby(2, 151), two: standby(2, 149), want: 1},
		{token: Token{2, 150}, one: standby(2, 149), two: standby(1, 160)}, // of another log, or not known to be of this one
		{token: Token{0, 150}, one: standby(2, 149), two: standby(1, 160), want: 2},
		{token: Token{1, 90}, one: standby(1, 95), two: standby(2, 80), want: 1}, // the logs are the same up to there
		{token: Token{1, 91}, one: standby(1, 95), two: standby(2, 180), lost: true},
		{token: Token{3, 90}, one: standby(2, 95), two: standby(2, 180)}, // nothing is known of that log yet
		{token: Token{3, 90}, one: standby(2, 95), two: standby(3, 180), want: 2},
		{token: Token{2, 150}, one: sighting{role: RoleStandby, plain: true, lsn: 999}, two: sighting{role: RoleGone, err: errors.New("x")}},
	} {
		ro := rolesOf(t, "", primary, c.one, c.two)
		ro.ends, ro.endsOf = map[uint32]uint64{1: 90}, 2
		v := ro.view.Load()
		err := ro.survives(v, c.token)
		require.Equal(t, c.lost && v.timeline == 2, errors.Is(err, ErrTokenLost), "%+v: %v", c, err)
		if err != nil {
			continue
		}
		n, what := ro.pick(v, c.token, nil)
		if c.want == 0 {
			require.Equal(t, notSoFar, what, "%+v", c)
			continue
		}
		require.Equal(t, ro.nodes[c.want], n, "%+v", c)
	}
}

func TestATokenOfAnOlderLogNeedsProof(t *testing.T) {
	ro := rolesOf(t, "", sighting{role: RolePrimary, timeline: 1, lsn: 100, newest: 100}, sighting{role: RoleStandby, timeline: 1, lsn: 80, newest: 80}, sighting{role: RoleGone, err: errors.New("x")})
	ro.saw(ro.nodes[0], sighting{role: RoleGone, err: errors.New("it has crashed")}, nil)
	require.NoError(t, ro.survives(ro.view.Load(), Token{1, 100}), "there is no other log")
	ro.saw(ro.nodes[1], sighting{role: RolePrimary, timeline: 2, lsn: 120, newest: 120}, nil)
	require.NoError(t, ro.survives(ro.view.Load(), Token{1, 80}), "the new primary had replayed it before")
	err := ro.survives(ro.view.Load(), Token{1, 81})
	require.ErrorIs(t, err, ErrTokenLost)
	require.ErrorContains(t, err, "00000002.history")
	ro.saw(ro.nodes[1], sighting{role: RolePrimary, timeline: 2, lsn: 130, newest: 130}, map[uint32]uint64{1: 90})
	require.NoError(t, ro.survives(ro.view.Load(), Token{1, 90}))
	require.ErrorContains(t, ro.survives(ro.view.Load(), Token{1, 91}), "1:0/5A")
	ro.saw(ro.nodes[1], sighting{role: RolePrimary, timeline: 3, lsn: 130, newest: 130}, map[uint32]uint64{1: 90})
	require.ErrorContains(t, ro.survives(ro.view.Load(), Token{2, 50}), "continues no log")
}

func TestALagIsCountedFromWhenTheChangeWasKnown(t *testing.T) {
	ro := rolesOf(t, "&max_lag=1h")
	n := ro.nodes[1]
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	lag := func(seconds int, lsn uint64, stale time.Duration) time.Duration {
		lag, _ := ro.behind(n, sighting{lsn: lsn, stale: stale}, at(seconds))
		return lag
	}
	ro.marks.add(at(0), 100)
	require.Zero(t, lag(3600, 100, time.Hour), "a primary that has nothing to do")
	require.Equal(t, time.Duration(0), lag(0, 90, time.Hour), "one look says nothing of what was before")
	require.Equal(t, time.Hour, lag(1, 90, time.Hour), "but two do")
	require.Zero(t, lag(1, 100, time.Hour))
	ro.marks.add(at(10), 110)
	ro.marks.add(at(20), 120)
	require.Equal(t, 5*time.Second, lag(25, 110, time.Hour))
	require.Equal(t, 15*time.Second, lag(25, 109, time.Hour))
	require.Zero(t, lag(25, 120, 0))
	for i := range 3 * mostMarks {
		ro.marks.add(at(30+i), uint64(130+i))
	}
	require.LessOrEqual(t, len(ro.marks.lsn), mostMarks)
	require.Equal(t, time.Second, lag(30+3*mostMarks, uint64(130+3*mostMarks-2), 0))
}

func TestConflictsWithTheReplayAreTheServersOwn(t *testing.T) {
	for _, c := range []struct {
		e    pgconn.PgError
		want bool
	}{
		{pgconn.PgError{Code: "40001", Message: "canceling statement due to conflict with recovery"}, true},
		{pgconn.PgError{Code: "40001", Message: "annulation de la requête", Routine: "ProcessInterrupts"}, true},
		{pgconn.PgError{Code: "40P01", Message: "x", Routine: "ProcessRecoveryConflictInterrupt"}, true},
		{pgconn.PgError{Code: "40001", Message: "mine", Routine: "exec_stmt_raise"}, false},
		{pgconn.PgError{Code: "57014", Message: "canceling statement due to conflict with recovery", Routine: "ProcessInterrupts"}, false},
	} {
		require.Equal(t, c.want, isRecoveryConflict(&c.e), "%+v", c.e)
	}
}

func TestOptionsAboutHosts(t *testing.T) {
	for text, says := range map[string]string{
		"reader_target=any": "prefer-standby", "max_lag=-1s": "max_lag", "max_lag_bytes=x": "max_lag_bytes",
		"token_wait=1": "token_wait", "host_check_period=0s": "host_check_period", "reader_targets=standby": "did you mean reader_target?",
	} {
		_, err := ParseConfig("postgres://u@a,b/d?" + text)
		require.ErrorContains(t, err, says, text)
	}
	config, err := ParseConfig("postgres://u@a,b/d?reader_target=standby&max_lag=5s&max_lag_bytes=1000&token_wait=0&host_check_period=2s")
	require.NoError(t, err)
	require.Equal(t, ReadStandby, config.ReaderTarget)
	require.Equal(t, 5*time.Second, config.MaxLag)
	require.EqualValues(t, 1000, config.MaxLagBytes)
	require.Zero(t, config.TokenWait)
	require.Equal(t, 2*time.Second, config.HostCheckPeriod)
	require.Contains(t, config.String(), "reader_target=standby")
	for text, want := range map[string]bool{
		"postgres://u@a,b/d": true, "postgres://u@a/d": false, "postgres://u@a,a/d": false, "host=a,b user=u": true, "host=a,b user=u target_session_attrs=any": false,
		"postgres://u@a,b/d?target_session_attrs=any": false, "postgres://u@a,b/d?target_session_attrs=read-write": true, "postgres://u@a,b/d?target_session_attrs=primary": true,
		"postgres://u@a,b/d?target_session_attrs=prefer-standby": false, "postgres://u@a,b/d?target_session_attrs=read-only": false, "postgres://u@a:1,a:2/d": true,
	} {
		config, err := ParseConfig(text)
		require.NoError(t, err)
		require.Equal(t, want, config.leads(), text)
	}
	for _, change := range []func(*Config){
		func(c *Config) { c.ReaderTarget = 9 }, func(c *Config) { c.MaxLag = -1 }, func(c *Config) { c.TokenWait = -1 }, func(c *Config) { c.HostCheckPeriod = 0 },
	} {
		config, err := ParseConfig("postgres://u@a,b/d")
		require.NoError(t, err)
		change(config)
		_, err = OpenConfig(config)
		require.Error(t, err)
	}
}
