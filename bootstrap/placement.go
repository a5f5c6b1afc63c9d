package bootstrap

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/internal/swift/ring"
	"understudy/messages"
)

// PlacementConfig says where the rings are and which of their devices are ours.
type PlacementConfig struct {
	SwiftDir       string            // folder of the object[-N].ring.gz files
	Policies       []messages.Policy // replication policies, in swift.conf order
	RingIP         string            // ring_ip; empty: BindIP
	BindIP         string            // bind_ip; empty or a wildcard: all addresses of this node
	BindPort       int               // compared with a device's replication port
	ServersPerPort int               // not 0: ports are not compared
	Resolver       HostResolver      // nil: net.DefaultResolver
	Log            zerolog.Logger
}

// Placement reads the rings of the object policies from files. It implements
// actors.Placement; Poll may be called from several goroutines.
type Placement struct {
	config  PlacementConfig
	names   *stickyResolver
	turn    chan struct{} // holds one token: whoever has it owns what follows
	files   []*ringFile
	ips     []string
	view    *messages.View
	changed bool // since view was made
}

var _ actors.Placement = (*Placement)(nil)

// ringFile is one policy's ring file and the last good reading of it.
type ringFile struct {
	policy messages.Policy
	path   string
	ring   *placedRing // nil: never read
	ips    []string    // addresses by which ring's local devices were told
	err    error       // why the file is not what ring is, or nil
}

// NewPlacement makes a Placement. Nothing is read before the first Poll.
func NewPlacement(config PlacementConfig) *Placement {
	if config.Resolver == nil {
		config.Resolver = net.DefaultResolver
	}
	p := &Placement{
		config:  config,
		names:   newStickyResolver(config.Resolver),
		turn:    make(chan struct{}, 1),
		changed: true,
	}
	for _, policy := range config.Policies {
		p.files = append(p.files, &ringFile{policy: policy, path: RingPath(config.SwiftDir, policy.Index)})
	}
	p.turn <- struct{}{}
	return p
}

// serves tells whether the rings that another configuration asks for are these.
func (p *Placement) serves(c PlacementConfig) bool {
	return p.config.SwiftDir == c.SwiftDir && p.config.RingIP == c.RingIP && p.config.BindIP == c.BindIP &&
		p.config.BindPort == c.BindPort && p.config.ServersPerPort == c.ServersPerPort && slices.Equal(p.config.Policies, c.Policies)
}

// RingPath is the ring file of a policy. Swift: common/storage_policy ring_name.
func RingPath(swiftDir string, policy int) string {
	name := "object"
	if policy != 0 {
		name += "-" + strconv.Itoa(policy)
	}
	return filepath.Join(swiftDir, name+".ring.gz")
}

// Poll reads the files that changed. A file that is gone or cannot be read
// leaves its earlier ring in force, with the error beside it, and is tried again
// at every poll. The error of Poll itself is that ctx ended, or that this node's
// addresses cannot be told.
//
// Unlike Swift: a change of size or inode counts as well as one of the mtime, and
// a device is looked for under this node's addresses again at every poll.
func (p *Placement) Poll(ctx context.Context, last *messages.View) (*messages.View, error) {
	select {
	case <-ctx.Done():
		return last, ctx.Err()
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	}
	if err := p.findAddresses(); err != nil {
		return last, err
	}
	for _, f := range p.files {
		if err := ctx.Err(); err != nil {
			return last, err
		}
		if err := p.refresh(ctx, f); err != nil {
			return last, err
		}
	}
	if p.changed {
		p.publish()
	}
	if last != nil && last.Version == p.view.Version {
		return last, nil
	}
	return p.view, nil
}

// findAddresses reads this node's addresses. After one success, a failure keeps
// the old ones.
func (p *Placement) findAddresses() error {
	ip := p.config.RingIP
	if ip == "" {
		ip = p.config.BindIP
	}
	ips, err := ring.MyIPs(ip)
	if err == nil {
		p.ips = ips
	} else if p.ips == nil {
		return err
	}
	return nil
}

// refresh brings one policy up to date. Its error is ctx's.
func (p *Placement) refresh(ctx context.Context, f *ringFile) error {
	next, err := f.reload()
	if next == nil {
		next = f.ring
	}
	if next != nil && (next != f.ring || next.ring.HasHostnames() || !slices.Equal(f.ips, p.ips)) {
		local := next.ring.Local(ctx, p.ips, p.config.BindPort, p.config.ServersPerPort != 0, p.names)
		if err := ctx.Err(); err != nil {
			return err // names may be missing
		}
		next, f.ips = next.withLocal(local), p.ips
	}
	if next != f.ring {
		p.config.Log.Debug().Str("path", f.path).Int("policy", f.policy.Index).Int64("version", next.ring.Version()).
			Int("devices", len(next.devices)).Int("local", len(next.local)).Msg("ring in use")
		f.ring, p.changed = next, true
	}
	if !sameError(err, f.err) {
		f.err, p.changed = err, true
	}
	return nil
}

// reload returns a new reading of the file if it is another file than the one in use.
func (f *ringFile) reload() (*placedRing, error) {
	stamp, err := ring.StampFile(f.path)
	if err != nil {
		return nil, err
	}
	if f.ring != nil && f.ring.ring.Stamp() == stamp {
		return nil, nil
	}
	r, err := ring.Load(f.path)
	if err != nil {
		return nil, err
	}
	return newPlacedRing(r), nil
}

// publish makes the next view.
func (p *Placement) publish() {
	view := &messages.View{Version: 1, Policies: make([]messages.PolicyRing, len(p.files))}
	if p.view != nil {
		view.Version = p.view.Version + 1
	}
	for i, f := range p.files {
		view.Policies[i] = messages.PolicyRing{Policy: f.policy, Err: f.err}
		if f.ring != nil {
			view.Policies[i].Ring = f.ring
		}
	}
	p.view, p.changed = view, false
}

func sameError(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}
