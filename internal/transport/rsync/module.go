package rsync

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"understudy/messages"
)

// interpolate fills a module template with a node's values. The template is a
// Python format string of which plain fields are understood: {name}, {{ and }}.
// Swift: common/utils.py rsync_module_interpolation
func interpolate(template string, node messages.Node) (string, error) {
	var out strings.Builder
	for rest := template; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			out.WriteString(rest)
			break
		}
		out.WriteString(rest[:i])
		brace := rest[i]
		rest = rest[i+1:]
		switch {
		case rest != "" && rest[0] == brace:
			out.WriteByte(brace)
			rest = rest[1:]
		case brace == '}':
			return "", pythonError("Single '}' encountered in format string")
		case rest == "":
			return "", pythonError("Single '{' encountered in format string")
		default:
			name, after, ok := strings.Cut(rest, "}")
			if !ok {
				return "", pythonError("expected '}' before end of string")
			}
			value, err := field(name, node)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			rest = after
		}
	}
	return out.String(), nil
}

// field is the value of one template field. What comes from the ring is checked
// where it is used.
func field(name string, node messages.Node) (string, error) {
	switch name {
	case "ip":
		return bracketed(node.IP), checkHost("ip", node.IP)
	case "port":
		return strconv.Itoa(node.Port), nil
	case "replication_ip":
		return bracketed(node.ReplicationIP), checkHost("replication_ip", node.ReplicationIP)
	case "replication_port":
		return strconv.Itoa(node.ReplicationPort), nil
	case "region":
		return strconv.Itoa(node.Region), nil
	case "zone":
		return strconv.Itoa(node.Zone), nil
	case "device":
		return node.Device, nil // checked with the job
	case "meta":
		if strings.Contains(node.Meta, "::") || !only(node.Meta, "_.-~@+=,:") {
			return "", fmt.Errorf("meta %q is nothing to give to rsync", node.Meta)
		}
		return node.Meta, nil
	}
	if name == "" || strings.ContainsAny(name, "!:.[{") || only(name[:1], "") && name[0] <= '9' {
		return "", fmt.Errorf("interpolate rsync_module: field {%s} is not supported, only plain names are", name)
	}
	return "", pythonError("Cannot interpolate rsync_module, invalid variable: " + pyRepr(name))
}

// pythonError is an error in the words of Swift or of Python itself.
type pythonError string

func (e pythonError) Error() string { return string(e) }

// bracketed puts an IPv6 address into brackets. Swift: common/utils.py rsync_ip
func bracketed(ip string) string {
	if validIPv6(ip) {
		return "[" + ip + "]"
	}
	return ip
}

func validIPv6(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && addr.Is6() && addr.Zone() == ""
}
