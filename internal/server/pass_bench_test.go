package server_test

import (
	"context"
	"io"
	"net"
	"testing"

	"understudy/internal/server"
)

// BenchmarkPass is an answer of 64 MiB, straight from its server and through ours.
func BenchmarkPass(b *testing.B) {
	const size = 64 << 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				chunk := make([]byte, 64<<10)
				_, _ = c.Read(chunk)
				for range size / len(chunk) {
					if _, err := c.Write(chunk); err != nil {
						return
					}
				}
			}()
		}
	}()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := newServer(&fake{}, func(cfg *server.Config) { cfg.PassTo.Address = l.Addr().String() })
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, front) }()
	defer func() {
		cancel()
		<-served
	}()
	for name, address := range map[string]string{"straight": l.Addr().String(), "passed": front.Addr().String()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				c, err := net.Dial("tcp", address)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.WriteString(c, "GET /sda1/7/a/c/o HTTP/1.1\r\n\r\n")
				if n, err := io.Copy(io.Discard, c); err != nil || n != size {
					b.Fatal(n, err)
				}
				_ = c.Close()
			}
		})
	}
}
