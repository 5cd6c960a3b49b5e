package pg

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// Rows and descriptions that don't match, and lengths and counts that aren't true, are an error for
// the caller whose answer it is. Others have their answers, or an error.
func TestAnswersWhoseCountsAndLengthsLie(t *testing.T) {
	type messages = []pgproto3.BackendMessage
	// put replaces the row of an honest answer.
	put := func(row ...pgproto3.BackendMessage) func(messages) messages {
		return func(honest messages) (spoiled messages) {
			for _, m := range honest {
				if _, ok := m.(*pgproto3.DataRow); ok {
					spoiled = append(spoiled, row...)
				} else {
					spoiled = append(spoiled, m)
				}
			}
			return spoiled
		}
	}
	describe := func(fields ...pgproto3.BackendMessage) func(messages) messages {
		return func(honest messages) (spoiled messages) {
			for _, m := range honest {
				if _, ok := m.(*pgproto3.RowDescription); ok {
					spoiled = append(spoiled, fields...)
				} else {
					spoiled = append(spoiled, m)
				}
			}
			return spoiled
		}
	}
	for name, spoil := range map[string]func(messages) messages{
		"a row before its description": describe(rowOf("stranger"), columns(1)),
		"a row without a description":  describe(),
		"a row before anything":        func(honest messages) messages { return append(messages{rowOf("stranger")}, honest...) },
		"a row after the end": func(honest messages) messages {
			return append(honest[:len(honest)-1:len(honest)-1], rowOf("stranger"), ready)
		},
		"two values for one column":               put(rowOf("stranger", "stranger")),
		"no value for one column":                 put(rowOf()),
		"one value for two columns":               describe(columns(2)),
		"two descriptions":                        describe(columns(1), columns(1)),
		"a row of 65535 values":                   put(raw(frame('D', []byte("\xff\xff\x00\x00\x00\x01a")))),
		"a value of 2^31-1 bytes":                 put(raw(frame('D', []byte("\x00\x01\x7f\xff\xff\xffa")))),
		"a value of -2^31 bytes":                  put(raw(frame('D', []byte("\x00\x01\x80\x00\x00\x00a")))),
		"a row of nothing":                        put(raw(frame('D', nil))),
		"a description of 65535 columns":          describe(raw(frame('T', []byte("\xff\xff")))),
		"a description whose name doesn't end":    describe(raw(frame('T', []byte("\x00\x01abc")))),
		"a message of -1 bytes":                   put(raw("D\xff\xff\xff\xff")),
		"a message of -2^31 bytes":                put(raw("D\x80\x00\x00\x00")),
		"a message of 3 bytes":                    put(raw("D\x00\x00\x00\x03")),
		"an error without an end":                 put(raw(frame('E', []byte("SERROR")))),
		"a ReadyForQuery of nothing":              put(raw(frame('Z', nil))),
		"a ParameterDescription of 65535 numbers": put(raw(frame('t', []byte("\xff\xff")))),
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				const n = 4
				db := openHostile(t, &hostile{answer: spoilOne(n, spoil)}, "&default_query_exec_mode=exec")
				failed := requireNoOthers(t, c.together(ctx, n, func(ctx context.Context, i int) error { return echo(ctx, db, i) }))
				require.NotEmpty(t, failed)
				require.Less(t, len(failed), n, "the first one is answered")
				require.NoError(t, echo(ctx, db, n))
			})
		})
	}
}

// grown returns roughly by how much the used memory has grown.
func grown(since uint64) int64 { return int64(inUse()) - int64(since) }

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A server that announces 2 GB, or never ends its notices, costs no more memory than what the
// driver keeps, and no caller waits for longer than it wants to.
func TestServerThatNeverEndsItsAnswer(t *testing.T) {
	notice, err := (&pgproto3.NoticeResponse{Severity: "NOTICE", Message: strings.Repeat("by the way ", 100)}).Encode(nil)
	require.NoError(t, err)
	note, err := (&pgproto3.NotificationResponse{PID: 1, Channel: "c", Payload: strings.Repeat("x", 1000)}).Encode(nil)
	require.NoError(t, err)
	status, err := (&pgproto3.ParameterStatus{Name: "a", Value: strings.Repeat("x", 1000)}).Encode(nil)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		say     []byte
		forever bool
	}{
		"a row of 2^31-1 bytes":         {binary.BigEndian.AppendUint32([]byte{'D'}, 1<<31-1), false},
		"a description of 2^31-1 bytes": {binary.BigEndian.AppendUint32([]byte{'T'}, 1<<31-1), false},
		"an error of 2^31-1 bytes":      {binary.BigEndian.AppendUint32([]byte{'E'}, 1<<31-1), false},
		"endless notices":               {notice, true},
		"endless notifications":         {note, true},
		"an endless change of settings": {status, true},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				before := inUse()
				said := make(chan struct{}, 1)
				db := openHostile(t, &hostile{answer: func(c *hostileConn, _ []pgproto3.BackendMessage) []pgproto3.BackendMessage {
					for n := 0; ; n++ {
						if _, err := c.Write(test.say); err != nil {
							return nil
						}
						if n == 10_000 || !test.forever {
							select {
							case said <- struct{}{}:
							default:
							}
						}
						if !test.forever {
							return nil
						}
					}
				}}, "&default_query_exec_mode=exec&cancel_timeout=100ms")
				limited, cancel := context.WithCancel(ctx)
				defer cancel()
				wait := c.start(limited, func(ctx context.Context) error { return echo(ctx, db, 1) })
				until(t, ctx, "much to be said", func() bool {
					select {
					case <-said:
						return true
					default:
						return false
					}
				})
				cancel()
				err := wait()
				require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, ErrConnLost), "%v", err)
				require.Less(t, grown(before), int64(16<<20))
				closing, end := context.WithTimeout(ctx, 100*time.Millisecond)
				defer end()
				if err := db.Close(closing); err != nil {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
			})
		})
	}
}

// A server that demands a password in a way that the client refuses, or work without an end, gets
// neither.
func TestServerThatDemandsTooMuchOfAClient(t *testing.T) {
	for name, test := range map[string]struct {
		options string
		enter   func(b *pgproto3.Backend) error
		message string
	}{
		"SCRAM with 2^31-1 iterations": {"", scramWith("2147483647"), "iteration count"},
		"SCRAM with 2^31 iterations":   {"", scramWith("2147483648"), "iteration count"},
		"SCRAM with -1 iterations":     {"", scramWith("-1"), "iteration count"},
		"SCRAM with 10^30 iterations":  {"", scramWith("1000000000000000000000000000000"), "iteration count"},
		"cleartext over plaintext":     {"&require_auth=scram-sha-256", cleartext, "require_auth"},
		"no password":                  {"&require_auth=scram-sha-256", func(*pgproto3.Backend) error { return nil }, "require_auth"},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				heard := make(chan error, 100)
				db := openHostile(t, &hostile{enter: func(b *pgproto3.Backend) error {
					err := test.enter(b)
					heard <- err
					return err
				}}, test.options)
				err := echo(ctx, db, 1)
				require.ErrorContains(t, err, test.message)
				neverNames(t, err, "secret")
				require.NotErrorIs(t, <-heard, errTold)
			})
		})
	}
}

// errTold says that the client has answered a demand that it should have refused.
var errTold = errors.New("the client has answered")

func cleartext(b *pgproto3.Backend) error {
	b.Send(&pgproto3.AuthenticationCleartextPassword{})
	if err := errors.Join(b.Flush(), b.SetAuthType(pgproto3.AuthTypeCleartextPassword)); err != nil {
		return err
	}
	if _, err := b.Receive(); err != nil {
		return err
	}
	return errTold
}

// scramWith asks for SCRAM with so many iterations.
func scramWith(iterations string) func(b *pgproto3.Backend) error {
	return func(b *pgproto3.Backend) error {
		b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
		if err := errors.Join(b.Flush(), b.SetAuthType(pgproto3.AuthTypeSASL)); err != nil {
			return err
		}
		m, err := b.Receive()
		if err != nil {
			return err
		}
		first, ok := m.(*pgproto3.SASLInitialResponse)
		if !ok {
			return errors.ErrUnsupported
		}
		_, nonce, _ := strings.Cut(string(first.Data), ",r=")
		b.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + nonce + "more,s=c2FsdHNhbHQ=,i=" + iterations)})
		if err := errors.Join(b.Flush(), b.SetAuthType(pgproto3.AuthTypeSASLContinue)); err != nil {
			return err
		}
		if _, err := b.Receive(); err != nil {
			return err
		}
		return errTold
	}
}
