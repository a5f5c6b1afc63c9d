package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// unbounded is the limit that is none.
const unbounded = "none"

// count is a whole number as a flag; nil is not given.
type count struct {
	n     *int
	least int
}

func (c *count) String() string { return "" }
func (c *count) Type() string   { return "N" }

func (c *count) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if text == unbounded {
		n, err = 0, nil
	}
	if err != nil || int(n) < c.least {
		return fmt.Errorf("must be a whole number, at least %d", c.least)
	}
	v := int(n)
	c.n = &v
	return nil
}

// amount is a number as a flag; nil is not given.
type amount struct{ n *float64 }

func (a *amount) String() string { return "" }
func (a *amount) Type() string   { return "N" }

func (a *amount) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if text == unbounded {
		v, err = 0, nil
	}
	if err != nil || math.IsNaN(v) || v < 0 || v > 1e12 {
		return errors.New("must be a number, at least 0")
	}
	a.n = &v
	return nil
}

// byteSize is a number of bytes as a flag; nil is not given.
type byteSize struct{ n *int64 }

func (s *byteSize) String() string { return "" }
func (s *byteSize) Type() string   { return "SIZE" }

func (s *byteSize) Set(text string) error {
	n, err := parseSize(text)
	if err == nil {
		s.n = &n
	}
	return err
}

// parseSize reads 1000, 10M, 10MiB (powers of 1024) and 10MB (powers of 1000).
// rsync's man page, --bwlimit, has the same rule.
func parseSize(text string) (int64, error) {
	wrong := errors.New("must be a size as 1000, 10K, 50MiB, 1.5G or 20MB, or none")
	if text == unbounded {
		return 0, nil
	}
	upper := strings.ToUpper(strings.TrimSpace(text))
	number := strings.TrimRight(upper, "KMGTIB ")
	unit := strings.TrimSpace(upper[len(number):])
	base, power := 1024.0, 0.0
	switch unit {
	case "", "B":
	default:
		i := strings.IndexByte("KMGT", unit[0])
		if i < 0 {
			return 0, wrong
		}
		power = float64(i + 1)
		switch unit[1:] {
		case "", "IB":
		case "B":
			base = 1000
		default:
			return 0, wrong
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	v *= math.Pow(base, power)
	if err != nil || math.IsNaN(v) || v < 0 || v > 1<<60 {
		return 0, wrong
	}
	return int64(v), nil
}
