// Package controlpb is what processes say to a node's facade: the wire form of the
// commands and answers that the engine has as plain values.
package controlpb

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --proto_path=. --go_out=. --go_opt=paths=source_relative control.proto admission.proto"

// Version is that of the messages. It grows when a field changes its meaning or goes.
const Version = 1
