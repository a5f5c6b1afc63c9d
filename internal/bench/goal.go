package bench

import "fmt"

// goal is one goal and what has become of it.
type goal struct {
	What    string  `json:"what"`
	Limit   float64 `json:"limit"`
	AtLeast bool    `json:"at_least,omitempty"` // else at most
	Got     float64 `json:"got"`
	Unit    string  `json:"unit,omitempty"` // "×", or with a blank before it
	Note    string  `json:"note,omitempty"` // beside what was measured
}

func (g goal) missed() bool { return g.share() > 1 }

// share is how much of the limit is used: up to 1 is met.
func (g goal) share() float64 {
	if g.AtLeast {
		return g.Limit / g.Got
	}
	return g.Got / g.Limit
}

// want and got write both sides.
func (g goal) want() string {
	if g.AtLeast {
		return "≥ " + g.amount(g.Limit)
	}
	return "≤ " + g.amount(g.Limit)
}

func (g goal) got() string {
	if g.Note != "" {
		return g.amount(g.Got) + " (" + g.Note + ")"
	}
	return g.amount(g.Got)
}

func (g goal) amount(v float64) string {
	if g.Unit == "" {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f%s", v, g.Unit)
}

const mibUnit = " MiB"

// verdict is the goal in the cell of a table.
func (g goal) verdict() string {
	if g.missed() {
		return g.want() + ": missed"
	}
	return g.want()
}
