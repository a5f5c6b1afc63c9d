package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Answers of object servers that are not well, or are none. None can be taken for the end
// of a good ssync session, which a sender would have to believe.
var impostures = []string{
	answer("507 Insufficient Storage", "text/html; charset=UTF-8", "<html><h1>Insufficient Storage</h1></html>"),
	answer("500 Internal Error", "text/html; charset=UTF-8", "<html><h1>Internal Server Error</h1></html>"),
	answer("503 Service Unavailable", "text/plain", ""),
	answer("404 Not Found", "text/plain", "no"),
	answer("200 OK", "application/octet-stream", "\x80\x02]q\x00K\x01a."), // [1]
	answer("200 OK", "application/octet-stream", "\x80\x02}q\x00X\x03\x00\x00\x00abcq\x01X \x00\x00\x00d41d8cd98f00b204e9800998ecf8427eq\x02s."),
	answer("200 OK", "application/octet-stream", "\x80\x02}q\x00."), // {}
	answer("200 OK", "application/octet-stream", "\x80\x02}q\x00X\x03\x00"),
	"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
	"SSH-2.0-OpenSSH_9.2\r\n",
	"",
}

func answer(status, kind, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, kind, len(body), body)
}

// impostor reads a request and answers it as no good object server does, or not at all.
func impostor(c net.Conn, rng *rand.Rand) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	var head []byte
	piece := make([]byte, 4096)
	for !bytes.Contains(head, []byte("\r\n\r\n")) && len(head) < 64<<10 {
		n, err := c.Read(piece)
		head = append(head, piece[:n]...)
		if err != nil {
			return
		}
	}
	if text := impostures[rng.IntN(len(impostures))]; text != "" {
		_, _ = c.Write([]byte(text))
		if rng.IntN(2) == 0 {
			return
		}
	}
	for { // until the other side has enough, or a minute is over
		if _, err := c.Read(piece); err != nil {
			return
		}
	}
}
