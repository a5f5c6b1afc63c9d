package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"understudy/internal/fault"
)

func injector(t *testing.T, plan string) *fault.Injector {
	t.Helper()
	p, err := fault.Parse(plan)
	if err != nil {
		t.Fatal(err)
	}
	return fault.NewInjector(p, nil).Seat("n1", func(host, _ string) string {
		return map[string]string{"127.0.0.1": "n2"}[host]
	})
}

func real(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// echo is a server that sends back what it is sent. With an injector its side has faults.
func echo(t *testing.T, faults *fault.Injector) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}(Listener(faults, l))
	return l.Addr().String()
}

func connected(t *testing.T, faults *fault.Injector, address string) net.Conn {
	t.Helper()
	c, err := Dialer(faults, real)(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// said sends a text and returns what comes back until an error or as much as was sent.
func said(c net.Conn, text string) (string, error) {
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	back := make([]byte, len(text))
	n, err := io.ReadFull(c, back)
	return string(back[:n]), err
}

func TestNoInjectorIsNothingBetween(t *testing.T) {
	c := connected(t, nil, echo(t, nil))
	if _, ok := c.(*net.TCPConn); !ok {
		t.Errorf("%T stands between", c)
	}
}

func TestBytesThatAreHarmed(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for plan, check := range map[string]func(back string, err error) bool{
		"net to=n3 : reset":                  func(b string, err error) bool { return b == text && err == nil },
		"net from=n1 to=n2 : flip at=5":      func(b string, err error) bool { return err == nil && differs(b, text) == 1 && b[5] != text[5] },
		"net : flip at=7 way=out":            func(b string, err error) bool { return err == nil && differs(b, text) == 1 && b[7] != text[7] },
		"net : garbage after-bytes=9000":     func(b string, err error) bool { return err == nil && b[:9000] == text[:9000] && differs(b, text) > 900 },
		"net : reset after-bytes=4096":       func(b string, err error) bool { return errors.Is(err, syscall.ECONNRESET) && b == "" },
		"net : reset after-bytes=12000":      func(b string, err error) bool { return errors.Is(err, syscall.ECONNRESET) && b == text[:2000] },
		"net : half-close after-bytes=10":    func(b string, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && b == text[:10] },
		"net : slow 200000":                  func(b string, err error) bool { return b == text && err == nil },
		"net op=read : delay 1ms times=2":    func(b string, err error) bool { return b == text && err == nil },
		"net op=read : cut for=50ms":         func(b string, err error) bool { return b == text && err == nil },
		"net op=write : cut for=50ms":        func(b string, err error) bool { return b == text && err == nil },
		"net : stall after-bytes=9 for=50ms": func(b string, err error) bool { return b == text && err == nil },
		"net : delay 1ms":                    func(b string, err error) bool { return b == text && err == nil },
	} {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			faults := injector(t, plan)
			back, err := said(connected(t, faults, echo(t, nil)), text)
			if !check(back, err) {
				t.Errorf("%d bytes came back, %d of them wrong: %v", len(back), differs(back, text), err)
			}
			if want := !strings.Contains(plan, "n3"); faults.Counts()[0].Fired > 0 != want {
				t.Errorf("%+v", faults.Counts())
			}
		})
	}
}

func differs(a, b string) (n int) {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestRefused(t *testing.T) {
	_, err := Dialer(injector(t, "net to=n2 : refuse"), real)(t.Context(), "tcp", echo(t, nil))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

// A cut is heard by nobody: who connects or waits finds its own deadline.
func TestCutHeedsDeadlines(t *testing.T) {
	address := echo(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var late net.Error
	if _, err := Dialer(injector(t, "net op=dial : cut"), real)(ctx, "tcp", address); !errors.As(err, &late) || !late.Timeout() {
		t.Errorf("dial: %v", err)
	}
	c := connected(t, injector(t, "net op=read : cut"), address)
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := said(c, "hello"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
}

// What was held back arrives when the faults are cleared, in order and whole.
func TestClearLetsGo(t *testing.T) {
	faults := injector(t, "net op=write : cut")
	c := connected(t, faults, echo(t, nil))
	text := strings.Repeat("abcdefghij", 30_000) // more than is kept for later
	held := make(chan struct{})
	go func() {
		defer close(held)
		for faults.Counts()[0].Fired == 0 {
			time.Sleep(time.Millisecond)
		}
		faults.Clear()
	}()
	go func() { _, _ = io.WriteString(c, text) }()
	back := make([]byte, len(text))
	if n, err := io.ReadFull(c, back); err != nil || !bytes.Equal(back, []byte(text)) {
		t.Errorf("%d bytes came back: %v", n, err)
	}
	<-held
}

func TestCloseEndsAStall(t *testing.T) {
	faults := injector(t, "net : stall")
	c := connected(t, faults, echo(t, nil))
	failed := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		failed <- err
	}()
	c.Close()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// The side that is connected to is met by faults that name its operations, and by them only.
func TestListener(t *testing.T) {
	for plan, fires := range map[string]bool{
		"net from=n2 to=n1 : reset":                         false,
		"net from=n2 to=n1 op=accept : reset after-bytes=3": true,
		"net from=n2 to=n1 op=accept : refuse":              true,
	} {
		faults := injector(t, plan)
		back := ""
		c, err := real(t.Context(), "tcp", echo(t, faults)) // a reset may be that early
		if err == nil {
			t.Cleanup(func() { c.Close() })
			back, err = said(c, "hello")
		}
		if (err != nil) != fires || !fires && back != "hello" || faults.Counts()[0].Fired > 0 != fires {
			t.Errorf("%s: %q %v, %+v", plan, back, err, faults.Counts())
		}
	}
}
