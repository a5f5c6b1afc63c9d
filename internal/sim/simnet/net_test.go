package simnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"understudy/internal/sim/sched"
)

// on runs f in a bubble with a network between the hosts 10.0.0.1, which f dials from, and
// 10.0.0.2, where serve gets each connection. f may block.
func on(t *testing.T, w Weather, serve func(net.Conn), f func(n *Net, dial func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := sched.New(sched.Source(1, t.Name()), nil)
		n := New(s, 1, nil)
		n.SetWeather(w)
		l := n.Listen("10.0.0.2", 6200)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
		done := false
		go func() {
			defer func() { done = true }()
			f(n, func() net.Conn {
				c, err := n.Dialer("10.0.0.1")(context.Background(), "tcp", "10.0.0.2:6200")
				if err != nil {
					t.Error(err)
				}
				return c
			})
			l.Close()
		}()
		if !s.Run(func() bool { return done }, time.Now().Add(time.Hour), 100_000) {
			t.Error("not at an end after an hour")
		}
		s.Run(func() bool { return false }, time.Now().Add(time.Hour), 100_000)
		if open := n.Open(); open != 0 {
			t.Errorf("%d ends of connections are open", open)
		}
	})
}

// echo sends back what comes, and ends when its peer does.
func echo(c net.Conn) {
	_, _ = io.Copy(c, c)
	_ = c.Close()
}

// What is sent comes in its order and in whole, slowly or not, in pieces or not; the end
// of one way leaves the other open.
func TestOrderAndHalfClose(t *testing.T) {
	for name, w := range map[string]Weather{
		"calm": {}, "slow": {Slowest: time.Second, Slow: 1000}, "in pieces": {Fragment: true}, "both": {Slowest: time.Second, Fragment: true},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, w, echo, func(_ *Net, dial func() net.Conn) {
				c := dial()
				defer c.Close()
				sent := make([]byte, 3000)
				for i := range sent {
					sent[i] = byte(i % 251)
				}
				begun := time.Now()
				if _, err := c.Write(sent); err != nil {
					t.Error(err)
				}
				if err := c.(*Conn).CloseWrite(); err != nil {
					t.Error(err)
				}
				got, err := io.ReadAll(c)
				if err != nil || !slices.Equal(got, sent) {
					t.Errorf("%d of %d bytes came, %v", len(got), len(sent), err)
				}
				if took := time.Since(begun); w.Slowest > 0 && took < time.Millisecond {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// A connection that is to break breaks, for both ends; one that ends one way shows the
// other side an end, and noise changes what comes but not how much.
func TestBroken(t *testing.T) {
	big := make([]byte, 64<<10)
	for name, test := range map[string]struct {
		weather Weather
		want    func(n int, err error) bool
	}{
		"reset":     {Weather{Reset: 1000}, func(n int, err error) bool { return n < len(big) && errors.Is(err, syscall.ECONNRESET) }},
		"half-shut": {Weather{HalfShut: 1000}, func(n int, err error) bool { return n < len(big) && err == nil }},
		"noise":     {Weather{Noise: 1000}, func(n int, err error) bool { return n == len(big) && err == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, test.weather, func(c net.Conn) {
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}, func(_ *Net, dial func() net.Conn) {
				c := dial()
				defer c.Close()
				n, err := c.Write(big)
				if test.weather.Reset > 0 && !test.want(n, err) {
					t.Errorf("%d bytes were written, %v", n, err)
				}
			})
			var got int
			var bad error
			var first byte
			on(t, test.weather, func(c net.Conn) {
				all, err := io.ReadAll(c)
				got, bad = len(all), err
				for _, b := range all {
					first |= b
				}
				_ = c.Close()
			}, func(_ *Net, dial func() net.Conn) {
				c := dial()
				_, _ = c.Write(big)
				_ = c.(*Conn).CloseWrite()
				_, _ = c.Read(make([]byte, 1)) // until the other has closed
				_ = c.Close()
			})
			if !test.want(got, bad) {
				t.Errorf("%d bytes came, %v", got, bad)
			}
			if test.weather.Noise > 0 && first == 0 {
				t.Error("no noise")
			}
		})
	}
}

// What is under way when a link is cut comes when it is healed, and not before.
func TestCutAndHeal(t *testing.T) {
	on(t, Weather{}, echo, func(n *Net, dial func() net.Conn) {
		c := dial()
		defer c.Close()
		n.Cut("10.0.0.1", "10.0.0.2")
		_, _ = c.Write([]byte("hello"))
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 5)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over a cut link: %v", err)
		}
		n.Heal()
		_ = c.SetReadDeadline(time.Time{})
		got := make([]byte, 5)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
			t.Errorf("after it was healed: %q, %v", got, err)
		}
	})
}

// A deadline that is set anew is the only one that counts; one that is over already ends a
// wait at once, and with one in the future all is well again.
func TestDeadlines(t *testing.T) {
	on(t, Weather{}, echo, func(_ *Net, dial func() net.Conn) {
		c := dial()
		defer c.Close()
		begun := time.Now()
		_ = c.SetReadDeadline(begun.Add(time.Second))
		_ = c.SetReadDeadline(begun.Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) < 10*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		go func() {
			time.Sleep(time.Second)
			_ = c.SetReadDeadline(time.Unix(1, 0))
		}()
		_ = c.SetReadDeadline(time.Time{})
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) > 12*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = c.Write([]byte("x"))
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("with another deadline: %d bytes, %v", n, err)
		}
	})
}

// Nobody hears of a host without power; a process that has ended is heard of.
func TestDown(t *testing.T) {
	for _, power := range []bool{false, true} {
		on(t, Weather{}, echo, func(n *Net, dial func() net.Conn) {
			c := dial()
			defer c.Close()
			_, _ = c.Write([]byte("x"))
			_, _ = c.Read(make([]byte, 1))
			n.Down("10.0.0.2", power)
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			want := error(syscall.ECONNRESET)
			if power {
				want = os.ErrDeadlineExceeded
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, want) {
				t.Errorf("power cut %v: %v", power, err)
			}
		})
	}
}
