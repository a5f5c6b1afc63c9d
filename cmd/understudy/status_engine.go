package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"understudy/config"
	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
)

// defaultConfigs are where swift-init looks for the configuration of a node.
var defaultConfigs = []string{"/etc/swift/object-server.conf", "/etc/swift/object-server.conf.d"}

// operated says which engine a command is for.
type operated struct {
	socket string
	config string
}

// operate gives a command the flags that name an engine.
func operate(cmd *cobra.Command) *operated {
	o := &operated{}
	cmd.Flags().StringVar(&o.socket, "socket", "", "control socket of the engine at `PATH`")
	cmd.Flags().StringVar(&o.config, "config", "", "configuration of the engine, `CONF`, which names its socket\n(default "+defaultConfigs[0]+" or .conf.d)")
	return o
}

// client finds the engine's socket.
func (o *operated) client() (*control.Client, error) {
	if o.socket != "" && o.config != "" {
		return nil, usageError{errors.New("--socket and --config are two ways to name an engine: give one")}
	}
	if o.socket != "" {
		return control.NewClient(o.socket), nil
	}
	path, err := o.configuration()
	if err != nil {
		return nil, err
	}
	socket, err := config.ControlSocket(path)
	if err != nil {
		return nil, err
	}
	if socket == "" {
		return nil, fmt.Errorf("%s: control_socket is none: this engine cannot be asked", path)
	}
	return control.NewClient(socket), nil
}

func (o *operated) configuration() (string, error) {
	if o.config != "" {
		return o.config, nil
	}
	for _, path := range defaultConfigs {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no %s: name the engine by --config or --socket", strings.Join(defaultConfigs, " nor "))
}

// do has a command carried out and prints what that has done.
func (o *operated) do(cmd *cobra.Command, command status.Command) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	done, err := client.Do(cmd.Context(), command)
	if err != nil {
		return err
	}
	message := done.Message
	if message == "" {
		message = "done"
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), message)
	return err
}

// report asks for a report, of one device if one is named.
func (o *operated) report(ctx context.Context, devices ...string) (*status.Report, error) {
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	if len(devices) > 0 {
		return client.Devices(ctx, devices...)
	}
	return client.Report(ctx)
}

// oneDevice is the device that an optional argument names, or nothing.
func oneDevice(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
