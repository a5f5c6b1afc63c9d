package store

import (
	"context"
	"fmt"
)

// paceKey is where a context carries what bounds the work done under it.
type paceKey struct{}

// WithPace makes hashing under a context wait for turn before each suffix. turn is
// called by many goroutines at once; its error ends the hashing.
func WithPace(ctx context.Context, turn func(context.Context) error) context.Context {
	return context.WithValue(ctx, paceKey{}, turn)
}

// paced waits for the turn of the next suffix.
func paced(ctx context.Context) error {
	turn, ok := ctx.Value(paceKey{}).(func(context.Context) error)
	if !ok {
		return nil
	}
	if err := turn(ctx); err != nil {
		return fmt.Errorf("wait for the hash limit: %w", err)
	}
	return nil
}
