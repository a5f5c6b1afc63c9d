package bootstrap

import "weak"

// closer ends something at the end of an engine. It does not keep it alive: each Reload
// makes others of most things, and one that no job has any more needs no end.
type closer struct {
	end  func()
	gone func() bool // nil: never
}

// closing ends a thing by a function that is quick when there is nothing to end.
func closing[T any](thing *T, end func(*T)) closer {
	p := weak.Make(thing)
	return closer{
		gone: func() bool { return p.Value() == nil },
		end: func() {
			if thing := p.Value(); thing != nil {
				end(thing)
			}
		},
	}
}

func (c closer) unused() bool { return c.gone != nil && c.gone() }
