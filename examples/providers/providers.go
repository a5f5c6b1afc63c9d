// Package providers shows how a host program chooses who tells the members of a cluster of
// each other: fleet.Static needs no server, these do. It is a module of its own, so that
// understudy's own go.mod does not carry what they need.
package providers

import (
	"github.com/asynkron/protoactor-go/cluster/clusterproviders/consul"
	"github.com/asynkron/protoactor-go/cluster/clusterproviders/etcd"
	"github.com/asynkron/protoactor-go/cluster/clusterproviders/k8s"

	"understudy/bootstrap/fleet"
)

// Consul is a provider for the agent on this machine.
func Consul() (fleet.Provider, error) { return consul.New() }

// Etcd is a provider for an etcd on this machine.
func Etcd() (fleet.Provider, error) { return etcd.New() }

// Kubernetes is a provider for pods, which need the right to list and patch pods.
func Kubernetes() (fleet.Provider, error) { return k8s.New() }
