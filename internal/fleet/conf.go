// Package fleet asks and steers many nodes at once through their facades.
package fleet

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/rs/zerolog"

	"understudy/bootstrap/remoteapi"
)

// DefaultConf is where the description of a fleet is looked for.
const DefaultConf = "/etc/understudy/fleet.json"

// Conf describes a fleet as one machine sees it.
type Conf struct {
	Listen string            `json:"listen"`         // ip:port of this machine's agent; commands take any port of that ip
	Nodes  map[string]string `json:"nodes"`          // ip:port of each node's agent by the node's name
	Socket string            `json:"socket"`         // control_socket of this machine's daemon; empty: the default
	CA     string            `json:"ca"`             // who signs the certificates of the fleet, PEM
	Cert   string            `json:"cert"`           // of this machine, for both directions
	Key    string            `json:"key"`            //
	Server string            `json:"server"`         // name in the certificates of agents; empty: their ip
	Bare   bool              `json:"insecure"`       // no TLS; loopback addresses only
	Public bool              `json:"public_address"` // listen may be no private address

	Admission *Admission `json:"admission,omitempty"` // nil: pushes begin unasked
}

// Load reads a description.
func Load(path string) (*Conf, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the fleet: %w", err)
	}
	c := &Conf{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("read the fleet: %s: %w", path, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("read the fleet: %s: %w", path, err)
	}
	return c, nil
}

func (c *Conf) check() error {
	if c.Listen == "" {
		return errors.New("listen is missing")
	}
	if _, _, err := splitAddress(c.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for _, name := range c.Names() {
		if _, _, err := splitAddress(c.Nodes[name]); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	if !c.Bare && (c.CA == "" || c.Cert == "" || c.Key == "") {
		return errors.New("ca, cert and key are needed: without TLS anybody could steer these nodes")
	}
	return c.checkAdmission()
}

func splitAddress(s string) (ip string, port int, err error) {
	ip, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil || port < 0 || port > 65535 || net.ParseIP(ip) == nil {
		return "", 0, fmt.Errorf("%q is not ip:port", s)
	}
	return ip, port, nil
}

// Names are those of the nodes, sorted.
func (c *Conf) Names() []string { return slices.Sorted(maps.Keys(c.Nodes)) }

// Agent is how this machine's agent is reached.
func (c *Conf) Agent(log zerolog.Logger) (remoteapi.Config, error) {
	ip, port, err := splitAddress(c.Listen)
	if err != nil {
		return remoteapi.Config{}, err
	}
	r := remoteapi.Config{Address: ip, Port: port, Insecure: c.Bare, Public: c.Public, Log: log}
	if !c.Bare {
		r.TLS, err = c.tls()
	}
	return r, err
}

// Operator is how answers reach a command on this machine.
func (c *Conf) Operator() (remoteapi.Config, error) {
	r, err := c.Agent(zerolog.Nop())
	r.Port = 0
	return r, err
}

func (c *Conf) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of this machine: %w", err)
	}
	text, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("read the authority of the fleet: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read the authority of the fleet: %s has no certificate", c.CA)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ClientCAs: pool, ServerName: c.Server}, nil
}
