// Package clients tests cooperative connections (repaint.Dialer) with clients of other protocols
// that know nothing of repaint: redigo and go-redis, and net/smtp, which is net/textproto over
// bufio, with STARTTLS. Each waits for something that another task of the same loop brings about, so
// a client that held the loop while it waits would never end.
package clients
