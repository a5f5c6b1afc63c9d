package inspect

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"understudy/messages"
)

// Ask asks a peer for its suffix hashes of a partition.
type Ask func(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error)

// givesUpAfter is how many questions in a row a node may leave without an answer.
const givesUpAfter = 3

// Patient asks no node any more that has not answered some times in a row: the first
// of them have cost a timeout each, and there may be thousands to follow.
func Patient(ask Ask) Ask {
	var mu sync.Mutex
	silent := map[string]int{}
	return func(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error) {
		mu.Lock()
		n := silent[address(node)]
		mu.Unlock()
		if n >= givesUpAfter {
			return nil, fmt.Errorf("%s: not asked any more after %d questions without an answer", node, n)
		}
		hashes, err := ask(ctx, node, policy, part)
		var status *messages.StatusError
		mu.Lock()
		defer mu.Unlock()
		switch {
		case ctx.Err() != nil:
		case err == nil || errors.As(err, &status):
			delete(silent, address(node))
		default:
			silent[address(node)]++
		}
		return hashes, err
	}
}
