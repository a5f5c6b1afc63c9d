package main

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"understudy/config"
)

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print what a shell needs to complete commands",
		Long: `Print what a shell needs to complete commands, flags, devices and policies.

    bash:  understudy completion bash > /etc/bash_completion.d/understudy
    zsh:   understudy completion zsh > "${fpath[1]}/_understudy"
    fish:  understudy completion fish > ~/.config/fish/completions/understudy.fish

Exit codes: 0 printed, 2 bad command line.`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			}
			return root.GenFishCompletion(out, true)
		},
	}
}

// completions makes a shell complete devices, policies and files, where a command takes
// some. What it offers comes from the configuration alone: nobody is asked.
func completions(root *cobra.Command) {
	for _, cmd := range every(root) {
		for flag, complete := range map[string]cobra.CompletionFunc{"device": devices, "policy": policies, "format": formats} {
			if f := cmd.Flags().Lookup(flag); f != nil {
				// The only error is that it is registered already.
				_ = cmd.RegisterFlagCompletionFunc(flag, complete)
			}
		}
		if cmd.ValidArgsFunction != nil {
			continue
		}
		switch cmd.CommandPath() {
		case "understudy tree", "understudy pass", "understudy retry":
			cmd.ValidArgsFunction = first(devices)
		case "understudy front":
			cmd.ValidArgsFunction = first(policies)
		case "understudy inspect ring":
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
				found, _ := first(policies)(cmd, args, word)
				return found, cobra.ShellCompDirectiveDefault // or a file
			}
		case "understudy pause", "understudy resume":
			cmd.ValidArgsFunction = pausable
		}
	}
}

func every(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		all = append(all, every(c)...)
	}
	return all
}

// first completes the first argument only.
func first(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, word)
	}
}

func pausable(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return []string{"node", "device", "policy", "peer"}, cobra.ShellCompDirectiveNoFileComp
	case len(args) == 1 && args[0] == "device":
		return devices(cmd, args, word)
	case len(args) == 1 && args[0] == "policy":
		return policies(cmd, args, word)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func formats(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"text", "man", "markdown"}, cobra.ShellCompDirectiveNoFileComp
}

// mostDevices bounds what is offered of a folder of devices.
const mostDevices = 1000

func devices(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	cfg := configured(cmd)
	if cfg == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	dir, err := os.Open(cfg.Devices)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(mostDevices) // what was read before an error is good enough
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, word) })
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}

func policies(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	cfg := configured(cmd)
	if cfg == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for p := range cfg.Swift.Policies.All() {
		if index := strconv.Itoa(p.Index); strings.HasPrefix(index, word) {
			names = append(names, index+"\t"+p.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// configured is the configuration that the flags name, or nil.
func configured(cmd *cobra.Command) *config.Config {
	n := localNode{swiftConf: config.DefaultSwiftConf}
	if f := cmd.Flags().Lookup("config"); f != nil {
		n.confPath = f.Value.String()
	}
	if f := cmd.Flags().Lookup("swift-conf"); f != nil {
		n.swiftConf = f.Value.String()
	}
	if n.load() != nil {
		return nil
	}
	return n.cfg
}
