package bootstrap

import (
	"math/rand/v2"
	"time"
)

// wallClock is the real clock.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// globalRand is the runtime's random source.
type globalRand struct{}

func (globalRand) IntN(n int) int                     { return rand.IntN(n) }
func (globalRand) Shuffle(n int, swap func(i, j int)) { rand.Shuffle(n, swap) }
