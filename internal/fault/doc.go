// Package fault is the language of fault plans and the one that decides by them: what
// goes wrong, where, and when. It touches nothing itself. The packages below it stand
// at the seams (disk, network, peers, rsync, actors, clock, process), ask an Injector
// before each thing that is about to happen, and do what it says.
//
// docs/experiments.md is the reference of the language.
package fault
