package repaint_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/seed1239206e/repaint"
)

// Three tasks of one loop talk to a server, each in ordinary blocking code, and none of them needs
// a goroutine of its own.
func ExampleDialer() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()

	err = repaint.Run(context.Background(), func(ctx context.Context) error {
		group := repaint.NewGroup(ctx)
		answers := make([]string, 3)
		for i := range answers {
			group.Go(func(ctx context.Context) error {
				conn, err := new(repaint.Dialer).DialContext(ctx, "tcp", server.Addr().String())
				if err != nil {
					return err
				}
				defer conn.Close()
				fmt.Fprintln(conn, "hello from", i)
				answers[i], err = bufio.NewReader(conn).ReadString('\n')
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, a := range answers {
			fmt.Print(a)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// hello from 0
	// hello from 1
	// hello from 2
}
