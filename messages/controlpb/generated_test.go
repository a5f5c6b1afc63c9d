package controlpb

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// What protoc makes of the .proto files is what is checked in. Only the version of protoc
// itself may differ. Without protoc (apt-get install protobuf-compiler) there is nothing to
// compare with.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	if _, err := exec.LookPath("protoc"); err != nil {
		t.Skip("protoc is not installed")
	}
	plugin, err := exec.Command("go", "tool", "-n", "protoc-gen-go").Output()
	if err != nil {
		t.Fatalf("find protoc-gen-go: %v", err)
	}
	dir := t.TempDir()
	out, err := exec.Command("protoc", "--plugin=protoc-gen-go="+string(bytes.TrimSpace(plugin)),
		"--proto_path=.", "--go_out="+dir, "--go_opt=paths=source_relative", "control.proto", "admission.proto").CombinedOutput()
	if err != nil {
		t.Fatalf("protoc: %v\n%s", err, out)
	}
	version := regexp.MustCompile(`(?m)^// \tprotoc +v.*$`)
	for _, name := range []string{"control", "admission"} {
		want, err := os.ReadFile(filepath.Join(dir, name+".pb.go"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name + ".pb.go")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(version.ReplaceAll(got, nil), version.ReplaceAll(want, nil)) {
			t.Errorf("%s.pb.go is not that of %s.proto: go generate ./messages/controlpb", name, name)
		}
	}
}
