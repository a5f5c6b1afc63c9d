package control

import "fmt"

// answer is what a call comes back with.
type answer[T any] struct {
	value T
	err   error
}

// begin makes a call that may hang in a goroutine of its own. A panic, which is a bug
// and must not end the engine, becomes an error. The call's place is given back before
// it answers: who has the answer may ask again at once.
func begin[T any](place <-chan struct{}, what string, call func() (T, error)) <-chan answer[T] {
	answers := make(chan answer[T], 1)
	go func() {
		a := caught(what, call)
		<-place
		answers <- a
	}()
	return answers
}

func caught[T any](what string, call func() (T, error)) (a answer[T]) {
	defer func() {
		if p := recover(); p != nil {
			a.err = fmt.Errorf("%s: panic: %v", what, p)
		}
	}()
	a.value, a.err = call()
	return a
}
