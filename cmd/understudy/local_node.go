package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/inspect"
	"understudy/internal/store"
	"understudy/internal/swift/policy"
	"understudy/messages"
)

// localNode is this node as its configuration and rings describe it, for commands that
// look at it themselves and ask no engine.
type localNode struct {
	confPath  string
	swiftConf string
	policy    string

	cfg *config.Config
}

// localFlags gives a command the flags that name a node and a policy.
func localFlags(cmd *cobra.Command, n *localNode) {
	configFileFlags(cmd, n)
	cmd.Flags().StringVar(&n.policy, "policy", "0", "storage policy, by index or name")
}

// configFileFlags gives a command the flags that name a node.
func configFileFlags(cmd *cobra.Command, n *localNode) {
	f := cmd.Flags()
	f.StringVar(&n.confPath, "config", "", "configuration of the node, `CONF`\n(default "+defaultConfigs[0]+" or .conf.d)")
	f.StringVar(&n.swiftConf, "swift-conf", config.DefaultSwiftConf, "path of swift.conf")
}

// load reads the configuration.
func (n *localNode) load() error {
	path, err := (&operated{config: n.confPath}).configuration()
	if err != nil {
		return err
	}
	cfg, err := config.Load(path, config.Options{SwiftConf: n.swiftConf})
	n.cfg = cfg
	return err
}

// chosen is the policy that the command line names.
func (n *localNode) chosen() (policy.Policy, error) {
	set := n.cfg.Swift.Policies
	if index, err := strconv.Atoi(n.policy); err == nil {
		if p, ok := set.ByIndex(index); ok {
			return p, nil
		}
	}
	if p, ok := set.ByName(n.policy); ok {
		return p, nil
	}
	return policy.Policy{}, fmt.Errorf("%s has no policy %q", n.cfg.Swift.Path, n.policy)
}

// ring reads the ring of a policy and finds the devices of this node in it.
func (n *localNode) ring(ctx context.Context, p policy.Policy) (messages.Ring, error) {
	place := bootstrap.NewPlacement(bootstrap.PlacementConfig{
		SwiftDir: n.cfg.SwiftDir, Policies: []messages.Policy{{Index: p.Index, Name: p.Name}}, RingIP: n.cfg.RingIP,
		BindIP: n.cfg.BindIP, BindPort: n.cfg.BindPort, ServersPerPort: n.cfg.ServersPerPort, Log: zerolog.Nop(),
	})
	view, err := place.Poll(ctx, nil)
	if err != nil {
		return nil, err
	}
	if r := view.Policies[0]; r.Ring == nil {
		return nil, r.Err
	}
	return view.Policies[0].Ring, nil
}

// disks are the node's disks, on which nothing changes.
func (n *localNode) disks() *store.Store {
	return store.New(store.Options{
		Root: n.cfg.Devices, MountCheck: n.cfg.MountCheck, ReclaimAge: n.cfg.DiskFile.ReclaimAge,
		Log: zerolog.Nop(), FS: inspect.ReadOnly(store.OS()),
	})
}
