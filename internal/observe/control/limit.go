package control

import (
	"net"
	"sync"
	"time"
)

// refusal is the answer to a connection too many. It waits for no request: who
// connects and is silent must not keep others out.
const refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n" +
	"Content-Length: 32\r\n\r\n{\"error\":\"too many connections\"}"

const refusalTime = 100 * time.Millisecond

// limitListener refuses connections beyond a limit, instead of letting them wait.
type limitListener struct {
	net.Listener
	places chan struct{}
}

func newLimitListener(l net.Listener, limit int) *limitListener {
	return &limitListener{Listener: l, places: make(chan struct{}, limit)}
}

func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return &limitedConn{Conn: c, release: func() { <-l.places }}, nil
		default:
		}
		_ = c.SetDeadline(time.Now().Add(refusalTime))
		_, _ = c.Write([]byte(refusal))
		_ = c.Close()
	}
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *limitedConn) Close() error {
	defer c.once.Do(c.release)
	return c.Conn.Close()
}
