package links

import (
	"context"
	"fmt"
)

// Cut lets nothing pass from some nodes to others. Nobody is told: what is sent is lost,
// on connections that there are as well.
func (n *Net) Cut(ctx context.Context, from, to []int) error {
	for _, a := range from {
		if err := n.turn(ctx, a, to, true); err != nil {
			return err
		}
	}
	return nil
}

// Heal mends all links.
func (n *Net) Heal(ctx context.Context) error {
	n.mu.Lock()
	broken := map[int][]int{}
	for pair := range n.cut {
		broken[pair[0]] = append(broken[pair[0]], pair[1])
	}
	n.mu.Unlock()
	for a, to := range broken {
		if err := n.turn(ctx, a, to, false); err != nil {
			return err
		}
	}
	return nil
}

// Broken is how many links are cut now, each way one.
func (n *Net) Broken() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.cut)
}

// turn cuts or mends what a node sends to others: it believes that they have a link
// address that nobody has, or asks anew which one they have.
func (n *Net) turn(ctx context.Context, from int, to []int, cut bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var orders []string
	var pairs [][2]int
	for _, b := range to {
		pair := [2]int{from, b}
		if b == from || n.cut[pair] == cut {
			continue
		}
		pairs = append(pairs, pair)
		order := fmt.Sprintf("neigh del %s dev eth0", IP(b))
		if cut {
			order = fmt.Sprintf("neigh replace %s lladdr %s nud permanent dev eth0", IP(b), nobody)
		}
		orders = append(orders, order)
	}
	if len(orders) == 0 {
		return nil
	}
	if err := n.nodes[from-1].ip(ctx, orders...); err != nil {
		return fmt.Errorf("cut or mend links of node %d: %w", from, err)
	}
	for _, pair := range pairs {
		if n.cut[pair] = cut; !cut {
			delete(n.cut, pair)
		}
	}
	return nil
}
