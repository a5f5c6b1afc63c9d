package sick

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// States in /proc/net/tcp of a connection that its listener has not closed.
const (
	established = 1
	closeWait   = 8 // the other side has
)

// Waiting counts the connections to a listener that nobody has accepted yet: all that
// were made to a stopped process, also those that their makers have given up.
func Waiting(addr string) (int, error) {
	sockets, err := readSockets()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, s := range sockets {
		if s.local == addr && !s.owned && (s.state == established || s.state == closeWait) {
			n++
		}
	}
	return n, nil
}

// socket is a line of /proc/net/tcp.
type socket struct {
	local string // ip:port
	state uint64
	owned bool // some process has it
}

func readSockets() ([]socket, error) {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return nil, fmt.Errorf("read the kernel's sockets: %w", err)
	}
	var all []socket
	for line := range strings.Lines(string(table)) {
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
		f := strings.Fields(line)
		if len(f) < 10 || f[0] == "sl" {
			continue
		}
		local, err := parseAddr(f[1])
		if err != nil {
			return nil, fmt.Errorf("read the kernel's sockets: %w", err)
		}
		state, err := strconv.ParseUint(f[3], 16, 8)
		if err != nil {
			return nil, fmt.Errorf("read the kernel's sockets: %w", err)
		}
		all = append(all, socket{local: local, state: state, owned: f[9] != "0"})
	}
	return all, nil
}

// parseAddr reads 0100007F:1F90: an address in the machine's byte order and a port.
func parseAddr(text string) (string, error) {
	ip, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(ip)
	if err != nil || len(raw) != 4 {
		return "", fmt.Errorf("address %q", text)
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return "", fmt.Errorf("port %q: %w", text, err)
	}
	var host [4]byte
	binary.NativeEndian.PutUint32(host[:], binary.BigEndian.Uint32(raw))
	return netip.AddrPortFrom(netip.AddrFrom4(host), uint16(number)).String(), nil
}
