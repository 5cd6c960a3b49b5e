package pg_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed1239206e/repaint/pg"
)

// A request writes. The next one, maybe in another process, reads from a standby what the first has
// written.
func ExampleWaitFor() {
	ctx := context.Background()
	conn, err := pg.Open("postgres://me@db1.example,db2.example,db3.example/app?reader_target=prefer-standby&max_lag=5s")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)

	write := func() (cookie string, err error) {
		if _, err := conn.Exec(ctx, "insert into users (id, name) values (42, 'ada')"); err != nil {
			return "", err
		}
		token, err := conn.Token(ctx)
		return token.String(), err
	}
	read := func(cookie string) (name string, err error) {
		token, err := pg.ParseToken(cookie)
		if err != nil {
			return "", err
		}
		err = conn.Reader().QueryRow(pg.WaitFor(ctx, token), "select name from users where id = 42").Scan(&name)
		return name, err
	}
	_, _ = write, read
}

// Reports use standbys only, whatever the DB's Readers do.
func ExampleReaderTarget() {
	ctx := context.Background()
	config, err := pg.ParseConfig("postgres://me@127.0.0.1:1,127.0.0.1:2/app?sslmode=disable") // no server is there
	if err != nil {
		fmt.Println(err)
		return
	}
	config.Conn.ConnectTimeout = 10 * time.Millisecond
	conn, err := pg.OpenConfig(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)
	reports := conn.ReadFrom(pg.ReadStandby)
	if _, err := reports.Query(ctx, "select count(*) from users"); errors.Is(err, pg.ErrNoStandby) {
		fmt.Println("later") // err says why each host isn't fit
	}
	// Output: later
}

// A health page shows the state of the servers.
func ExampleHostState() {
	conn, err := pg.Open("postgres://me@db1.example,db2.example/app")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(context.Background())
	for _, h := range conn.Hosts() {
		if h.Role == pg.RoleStandby {
			fmt.Println(h.Host, "is", h.Lag, "behind")
			continue
		}
		fmt.Println(h.Host, "is", h.Role)
	}
	// Output:
	// db1.example:5432 is unknown
	// db2.example:5432 is unknown
}

// pager tells the operators when a server changes its role.
type pager struct{ pg.LogTracer }

func (p *pager) TraceRoleChange(ctx context.Context, change pg.RoleChange) {
	fmt.Println(change.Host, "is now", change.To, change.Err)
}

func ExampleRoleTracer() {
	config, err := pg.ParseConfig("postgres://me@db1.example,db2.example/app")
	if err != nil {
		fmt.Println(err)
		return
	}
	tracer := &pager{pg.LogTracer{Logger: slog.Default()}}
	config.Tracer = tracer
	conn, err := pg.OpenConfig(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer conn.Close(ctx)
	// After a failover the DB calls:
	tracer.TraceRoleChange(ctx, pg.RoleChange{Host: "db2.example:5432", From: pg.RoleStandby, To: pg.RolePrimary})
	// Output: db2.example:5432 is now primary <nil>
}

// A Role says which statements a server can take.
func ExampleRole() {
	for _, role := range []pg.Role{pg.RolePrimary, pg.RoleStandby, pg.RoleGone} {
		fmt.Println(role, "- writes:", role == pg.RolePrimary, "reads:", role == pg.RolePrimary || role == pg.RoleStandby)
	}
	// Output:
	// primary - writes: true reads: true
	// standby - writes: false reads: true
	// gone - writes: false reads: false
}

// A promotion and the end of a server deserve a message; the first look at a server doesn't.
func ExampleRoleChange() {
	tell := func(c pg.RoleChange) {
		switch {
		case c.From == pg.RoleUnknown:
		case c.To == pg.RolePrimary:
			fmt.Println(c.Host, "was promoted, timeline", c.Timeline)
		case c.To == pg.RoleGone:
			fmt.Println(c.Host, "is gone:", c.Err)
		}
	}
	tell(pg.RoleChange{Host: "db1:5432", From: pg.RoleUnknown, To: pg.RolePrimary, Timeline: 1})
	tell(pg.RoleChange{Host: "db1:5432", From: pg.RolePrimary, To: pg.RoleGone, Err: errors.New("connection refused")})
	tell(pg.RoleChange{Host: "db2:5432", From: pg.RoleStandby, To: pg.RolePrimary, Timeline: 2})
	// Output:
	// db1:5432 is gone: connection refused
	// db2:5432 was promoted, timeline 2
}

func ExampleToken() {
	token, err := pg.ParseToken("1:0/16B3748")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Timeline, token.LSN, token)
	// Output: 1 23803720 1:0/16B3748
}
