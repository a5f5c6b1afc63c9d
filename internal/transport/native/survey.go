package native

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"understudy/internal/native"
	"understudy/messages"
)

// atOnce is how many nodes one Survey asks at the same time.
const atOnce = 8

// maxDevice is the longest name of a device in a request, in bytes.
const maxDevice = 255

// Survey asks nodes whether they have partitions as this node has them, each node
// about all of its partitions together, and returns one answer for each ask. What it
// could not learn is Unknown: such a partition is to be asked for alone.
func (l *Lane) Survey(ctx context.Context, asks []messages.SurveyAsk) []messages.SurveyAnswer {
	answers := make([]messages.SurveyAnswer, len(asks))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for part := range parts(asks) {
		node := asks[part[0]].Node
		if !l.Ours(node) {
			continue
		}
		group.Go(func() error {
			l.one(ctx, node, asks, part, answers) // each writes to places of its own
			return nil
		})
	}
	_ = group.Wait() // nobody returns an error
	return answers
}

// parts yields the indexes of asks that go into one request: of one node and one
// policy, by device and partition, each once.
func parts(asks []messages.SurveyAsk) func(yield func([]int) bool) {
	order := make([]int, 0, len(asks))
	for i, a := range asks {
		if a.Node.Device != "" && len(a.Node.Device) <= maxDevice {
			order = append(order, i)
		}
	}
	in := func(i, j int) int {
		a, b := &asks[i], &asks[j]
		return cmp.Or(cmp.Compare(a.Node.ReplicationIP, b.Node.ReplicationIP), cmp.Compare(a.Node.ReplicationPort, b.Node.ReplicationPort),
			cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Node.Device, b.Node.Device), cmp.Compare(a.Number, b.Number))
	}
	slices.SortFunc(order, in)
	order = slices.CompactFunc(order, func(i, j int) bool { return in(i, j) == 0 })
	return func(yield func([]int) bool) {
		for len(order) > 0 {
			n, devices := 1, 1
			for n < len(order) && n < native.MaxPartitions {
				a, b := &asks[order[n-1]], &asks[order[n]]
				if address(a.Node) != address(b.Node) || a.Policy != b.Policy {
					break
				}
				if a.Node.Device != b.Node.Device {
					if devices++; devices > native.MaxGroups {
						break
					}
				}
				n++
			}
			if !yield(order[:n]) {
				return
			}
			order = order[n:]
		}
	}
}

// one asks one node.
func (l *Lane) one(ctx context.Context, node messages.Node, asks []messages.SurveyAsk, part []int, answers []messages.SurveyAnswer) {
	policy := asks[part[0]].Policy
	q := l.handshake(policy)
	for _, i := range part {
		a := asks[i]
		if n := len(q.Groups); n == 0 || q.Groups[n-1].Device != a.Node.Device {
			q.Groups = append(q.Groups, native.Group{Device: a.Node.Device, Policy: uint32(policy)})
		}
		g := &q.Groups[len(q.Groups)-1]
		g.Entries = append(g.Entries, native.Entry{Partition: a.Number, Digest: a.Digest})
	}
	answer, err := l.exchange(ctx, node, q)
	if err != nil {
		return // they stay Unknown; exchange has told
	}
	findings := answer.Findings
	next := 0
	for i, g := range q.Groups {
		for range g.Entries {
			to := &answers[part[next]]
			if answer.Groups[i] == native.Looked {
				to.Finding = messages.Same
			}
			if len(findings) > 0 && findings[0].Index == next {
				*to = finding(findings[0], asks[part[next]].Suffixes)
				findings = findings[1:]
			}
			next++
		}
	}
}

// finding is what a peer has found. Hashes of one that has fewer suffixes than this
// node are not kept: it lacks something, whatever they are.
func finding(f native.Finding, suffixes int) messages.SurveyAnswer {
	switch {
	case f.Kind == native.Differs && len(f.Hashes) >= suffixes:
		return messages.SurveyAnswer{Finding: messages.Differs, Hashes: f.Hashes}
	case f.Kind == native.Differs, f.Kind == native.Other:
		return messages.SurveyAnswer{Finding: messages.Differs}
	}
	return messages.SurveyAnswer{}
}

// handshake is a survey of nothing: it asks whether the nodes may work together.
func (l *Lane) handshake(policy int) *native.Request {
	return &native.Request{Cluster: l.cfg.Cluster, Rings: []native.Ring{{Policy: uint32(policy), Version: l.cfg.Ring(policy)}}}
}
