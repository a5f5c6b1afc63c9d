package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"understudy/internal/cluster"
)

// ring is what the ring file says, or is about to.
type ring struct {
	c       *cluster.Cluster
	all     []cluster.Device // in order
	weights map[cluster.Device]float64
	serial  uint32
}

func newRing(c *cluster.Cluster) ring {
	r := ring{c: c, weights: map[cluster.Device]float64{}}
	for _, n := range c.Nodes {
		for _, name := range n.Devices {
			r.all = append(r.all, cluster.Device{IP: n.IP, Name: name})
		}
	}
	r.whole()
	return r
}

// whole gives every device the same weight.
func (r *ring) whole() {
	for _, d := range r.all {
		r.weights[d] = 100
	}
}

// draw changes the ring: a device that is out comes back, or one leaves, or one gets
// another weight. There is never more than one out.
func (r *ring) draw(rnd *rand.Rand) string {
	for _, d := range r.all {
		if _, in := r.weights[d]; !in {
			r.weights[d] = 100
			return "add " + place(r.c, d)
		}
	}
	d := pick(rnd, r.all...)
	if rnd.IntN(2) == 0 {
		delete(r.weights, d)
		return "remove " + place(r.c, d)
	}
	r.weights[d] = pick(rnd, 50.0, 100.0, 150.0)
	return fmt.Sprintf("weight of %s %g", place(r.c, d), r.weights[d])
}

// turn writes the ring with Swift's builder; the clients use it at once, the daemons
// when they see it.
func (s *soak) turn(ctx context.Context) error {
	s.ring.serial++
	if err := s.c.Reweight(ctx, 0, s.ring.weights, s.ring.serial); err != nil {
		return err
	}
	primaries, err := s.c.Primaries(ctx, 0)
	if err != nil {
		return err
	}
	s.clients.turn(primaries)
	return nil
}

// place is how the timeline names a device.
func place(c *cluster.Cluster, d cluster.Device) string {
	return fmt.Sprintf("%d/%s", c.Node(d.IP).Number, d.Name)
}
