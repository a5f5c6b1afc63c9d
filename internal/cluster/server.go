package cluster

import "context"

// Server is an object server that can be run on a node: a program, its subcommand if
// it has one, and then the node's object-server.conf.
type Server struct {
	Name string // for messages
	Path string
	Verb string
}

// StockServer is Swift's own object server.
var StockServer = Server{Name: "stock", Path: "/usr/bin/swift-object-server"}

func (s Server) argv(conf string) []string {
	if s.Verb == "" {
		return []string{s.Path, conf}
	}
	return []string{s.Path, s.Verb, conf}
}

// ServeOn makes the object server of one node be this program, from the next Start or
// Serve on, whatever the others are.
func (n *Node) ServeOn(s Server) { n.own = &s }

// serving is the program that is the node's object server.
func (n *Node) serving() Server {
	if n.own != nil {
		return *n.own
	}
	return n.cluster.serving
}

// OurServer is our own, built into dir from this module, with the race detector if asked.
func OurServer(ctx context.Context, dir string, race bool) (Server, error) {
	path, err := build(ctx, dir, "understudy", race)
	return Server{Name: "ours", Path: path, Verb: "serve"}, err
}

// ServeWith makes the object servers of all nodes be this program, from the next Start
// on or, where they run, at once: they are ended and started again. It tells whether
// it was another program before.
func (c *Cluster) ServeWith(ctx context.Context, s Server) (changed bool, err error) {
	if c.serving == s {
		return false, nil
	}
	c.serving = s
	var running []*Node
	for _, n := range c.Nodes {
		if n.server == nil {
			continue
		}
		running = append(running, n)
		n.server.stop()
		c.forget(n.server)
	}
	for _, n := range running {
		if err := n.startServer(); err != nil {
			return true, err
		}
	}
	for _, n := range running {
		if err := n.server.await(ctx, n.Addr()); err != nil {
			return true, err
		}
	}
	return true, nil
}
