package fleet

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"understudy/bootstrap/remoteapi"
	"understudy/messages"
)

// DefaultDesk is where an agent answers its daemon about pushes unless it is told otherwise.
const DefaultDesk = "/var/cache/swift/understudy/pushes.sock"

// Admission says how an agent admits pushes: those of its daemon to other nodes, and those
// of others to the disks of its own.
type Admission struct {
	Socket string            `json:"socket,omitempty"` // the daemon's admission_socket; empty: DefaultDesk
	In     int               `json:"in,omitempty"`     // pushes that a disk receives at a time; 0: remoteapi's default
	Out    int               `json:"out,omitempty"`    // pushes that a disk sends at a time; likewise
	Term   string            `json:"term,omitempty"`   // of a lease whose holder is not heard of, as 90s; likewise
	Again  string            `json:"again,omitempty"`  // the shortest time after which one that was refused asks again; likewise
	Hosts  map[string]string `json:"hosts,omitempty"`  // nodes by an address of the ring, ip or ip:port; needed where it is not the agent's ip
}

// Desk is the path of the socket.
func (a *Admission) Desk() string {
	if a.Socket == "" {
		return DefaultDesk
	}
	return a.Socket
}

func (c *Conf) checkAdmission() error {
	a := c.Admission
	if a == nil {
		return nil
	}
	if a.Socket != "" && !filepath.IsAbs(a.Socket) {
		return errors.New("admission: socket must be an absolute path")
	}
	for host, name := range a.Hosts {
		if _, ok := place(host); !ok {
			return fmt.Errorf("admission: hosts: %q is neither ip nor ip:port", host)
		}
		if c.Nodes[name] == "" {
			return fmt.Errorf("admission: hosts: %s: there is no node %q", host, name)
		}
	}
	_, err := c.Leases()
	return err
}

// Leases makes the account of this machine's disks, which asks those of the other nodes.
// It is nil when no pushes are admitted.
func (c *Conf) Leases() (*remoteapi.Admission, error) {
	a := c.Admission
	if a == nil {
		return nil, nil
	}
	term, err := period("term", a.Term)
	if err != nil {
		return nil, err
	}
	again, err := period("again", a.Again)
	if err != nil {
		return nil, err
	}
	leases, err := remoteapi.NewAdmission(remoteapi.AdmissionConfig{In: a.In, Out: a.Out, Term: term, Again: again, Find: c.finder()})
	if err != nil {
		return nil, fmt.Errorf("admission: %w", err)
	}
	return leases, nil
}

// period reads a length of time; none is 0.
func period(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("admission: %s: %q is no length of time, as 90s is", name, text)
	}
	return d, nil
}

// finder tells the agent of a node of the ring, "" if none is known: the one that hosts
// names, or else the only one whose ip is the node's replication ip or its other one.
func (c *Conf) finder() func(messages.Node) string {
	agents := map[string]string{}
	for _, name := range c.Names() {
		ip, _, err := splitAddress(c.Nodes[name])
		if err != nil {
			continue // check has told
		}
		at, _ := place(ip)
		if _, twice := agents[at]; twice {
			agents[at] = "" // which of the two?
			continue
		}
		agents[at] = c.Nodes[name]
	}
	for host, name := range c.Admission.Hosts {
		at, _ := place(host)
		agents[at] = c.Nodes[name]
	}
	return func(n messages.Node) string {
		for _, key := range []string{
			net.JoinHostPort(n.ReplicationIP, strconv.Itoa(n.ReplicationPort)), net.JoinHostPort(n.IP, strconv.Itoa(n.Port)), n.ReplicationIP, n.IP,
		} {
			at, ok := place(key)
			if agent := agents[at]; ok && agent != "" {
				return agent
			}
		}
		return ""
	}
}

// place is an ip or ip:port as there is only one way to write it.
func place(s string) (string, bool) {
	if ip := net.ParseIP(s); ip != nil {
		return ip.String(), true
	}
	host, port, err := splitAddress(s)
	if err != nil {
		return "", false
	}
	return net.JoinHostPort(net.ParseIP(host).String(), strconv.Itoa(port)), true
}
