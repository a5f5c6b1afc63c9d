package plan

import "time"

// Backoff is the wait before the n-th rebirth of an actor (n from 1): it doubles
// from least to most and is stretched by up to a quarter, jitter being in [0, 1).
func Backoff(n int, least, most time.Duration, jitter float64) time.Duration {
	wait := most
	if shift := n - 1; shift < 30 && least<<shift < most {
		wait = least << max(shift, 0)
	}
	return wait + time.Duration(jitter*float64(wait)/4)
}
