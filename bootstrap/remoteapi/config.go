package remoteapi

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Config says how a program is reached. Start checks it.
type Config struct {
	Node string // the name of this node in its cluster; empty when it is in none

	// Address is the IP address to listen on: a private one, of this machine.
	Address string
	Port    int // 0: any that is free
	// Advertised is the address, with its port, by which others reach this program when
	// it is not the one it listens on. It must be one that the certificate is good for.
	Advertised string

	// TLS has the certificate of this program, for both directions, and as RootCAs and
	// ClientCAs who signs those of its peers. Clients must show a certificate, whatever
	// ClientAuth says. Further checks of a peer go into VerifyConnection.
	TLS *tls.Config
	// Insecure does without TLS, on loopback addresses only: for tests and examples.
	Insecure bool
	// Public allows an address that is not private.
	Public bool

	Log zerolog.Logger
}

// The bounds of what a peer may cost.
const (
	writerQueue     = 1024    // messages; the library's default takes 16 MB for each peer
	mostRequest     = 1 << 20 // bytes of a message that is received by a server
	mostReply       = 8 << 20 // bytes of one that a client receives
	streamsPerPeer  = 8
	streamsInAll    = 128
	handshakeLimit  = 5 * time.Second
	answerLimit     = 10 * time.Second // of a server to the first message of a stream
	keepaliveTime   = 15 * time.Second
	keepaliveWait   = 10 * time.Second
	connectAttempts = 1 // the library sleeps for 2 s after each, in the actor that writes
)

// check refuses what would let strangers in.
func (c Config) check() (netip.Addr, error) {
	ip, err := netip.ParseAddr(c.Address)
	switch {
	case err != nil:
		return ip, fmt.Errorf("listen for peers: address %q is no IP address", c.Address)
	case ip.IsUnspecified(), ip.IsMulticast():
		return ip, fmt.Errorf("listen for peers: %s is every address of this machine or of many: name one private address", ip)
	case c.Port < 0 || c.Port > 65535:
		return ip, fmt.Errorf("listen for peers: %d is no port", c.Port)
	case c.Insecure && c.TLS != nil:
		return ip, errors.New("listen for peers: both TLS and Insecure")
	case c.Insecure && !ip.IsLoopback():
		return ip, fmt.Errorf("listen for peers: %s is no loopback address, and without TLS anybody could steer this node", ip)
	case !c.Insecure && c.TLS == nil:
		return ip, errors.New("listen for peers: no TLS: give it certificates, or say Insecure and listen on a loopback address")
	case !c.Public && !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast():
		return ip, fmt.Errorf("listen for peers: %s is no private address; say Public if it is meant", ip)
	}
	return ip, c.checkTLS()
}

func (c Config) checkTLS() error {
	t := c.TLS
	switch {
	case t == nil:
		return nil
	case len(t.Certificates) == 0 && (t.GetCertificate == nil || t.GetClientCertificate == nil):
		return errors.New("listen for peers: TLS has no certificate for both directions")
	case t.RootCAs == nil || t.ClientCAs == nil: // nil would be every CA that this machine knows
		return errors.New("listen for peers: TLS must name RootCAs and ClientCAs, the CA of your nodes")
	case t.InsecureSkipVerify:
		return errors.New("listen for peers: TLS does not verify servers")
	}
	return nil
}

// remoting is the library's configuration for it, with the gate before it.
func (c Config) remoting(ip netip.Addr, g *gate) *remote.Config {
	host := ip.String()
	if ip.Is6() {
		host = "[" + host + "]"
	}
	server, client := insecure.NewCredentials(), insecure.NewCredentials()
	if c.TLS != nil {
		both := c.TLS.Clone()
		both.ClientAuth, both.MinVersion = tls.RequireAndVerifyClientCert, tls.VersionTLS13
		server, client = credentials.NewTLS(both), credentials.NewTLS(both)
	}
	r := remote.Configure(host, c.Port,
		remote.WithEndpointWriterQueueSize(writerQueue),
		remote.WithServerOptions(
			grpc.Creds(server), grpc.MaxRecvMsgSize(mostRequest), grpc.MaxConcurrentStreams(streamsPerPeer),
			grpc.ConnectionTimeout(handshakeLimit), grpc.StreamInterceptor(g.stream), grpc.UnaryInterceptor(g.unary),
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveWait}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveWait, PermitWithoutStream: true}),
		),
		remote.WithDialOptions(
			grpc.WithTransportCredentials(client), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostReply)),
			grpc.WithStreamInterceptor(g.dialled), grpc.WithUnaryInterceptor(g.call),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveWait}),
			grpc.WithNoProxy(),
		),
		remote.WithAdvertisedHost(c.Advertised))
	r.MaxRetryCount = connectAttempts
	return r
}
