// Package remoteapi lets other processes talk to an engine over the actor library's
// remoting. What they reach is a facade, and nothing else: it takes the messages of
// messages/controlpb and passes them on to the engine as plain values.
//
// The library's remoting trusts every peer: an unknown type ends the process, and anybody
// may stop any actor. So there is a gate before it. It wants mutual TLS, a private
// address, and lets only those types through to those actors that it has been told of.
package remoteapi
