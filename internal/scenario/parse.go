package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"understudy/internal/fault"
)

// MaxBytes is how long a scenario may be.
const MaxBytes = 64 << 10

// Parse reads a scenario. An error names the line: `line 3: …`.
func Parse(text string) (*Scenario, error) {
	if len(text) > MaxBytes || !utf8.ValidString(text) {
		return nil, fmt.Errorf("read scenario: more than %d bytes, or no UTF-8", MaxBytes)
	}
	p := &parser{s: &Scenario{Cluster: usual}}
	for i, line := range strings.Split(text, "\n") {
		p.line = i + 1
		if err := p.take(strings.TrimRight(line, " \t\r")); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	if err := p.s.check(); err != nil {
		return nil, err
	}
	return p.s, nil
}

// usual is a cluster of which nothing is said.
var usual = Cluster{Nodes: 4, Devices: 2, Replicas: 3, PartPower: 4, Policies: 1, Method: "ssync"}

// parser is what is read so far.
type parser struct {
	s       *Scenario
	line    int
	section string
	plan    *Faults // the one that is being read
	seen    map[string]bool
}

func (p *parser) take(line string) error {
	bare := strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(bare, "[") && strings.HasSuffix(bare, "]"):
		return p.open(strings.Fields(bare[1 : len(bare)-1]))
	case bare == "" || strings.HasPrefix(bare, "#"):
		return nil
	case p.section == "faults":
		return p.fault(bare)
	case p.section == "":
		end := strings.IndexFunc(bare+" ", isSpace)
		return p.head(bare[:end], strings.TrimSpace(bare[end:]))
	}
	w, err := words(bare)
	if err != nil {
		return err
	}
	switch p.section {
	case "cluster":
		return p.cluster(w)
	case "data":
		return p.data(w)
	case "workload":
		return p.workload(w)
	case "steps":
		return p.step(w)
	default:
		return p.expect(w)
	}
}

// fault adds a line of a plan, which the language of plans has to understand.
func (p *parser) fault(line string) error {
	if _, err := fault.Parse(line); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "fault plan line 1: "))
	}
	p.plan.Text += line + "\n"
	return nil
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' }

// open begins a section.
func (p *parser) open(name []string) error {
	if len(name) == 0 {
		return errors.New("a section without a name")
	}
	key := strings.Join(name, " ")
	if p.seen[key] {
		return fmt.Errorf("there are two sections [%s]", key)
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[key] = true
	switch p.section = name[0]; p.section {
	case "faults":
		f := Faults{}
		if len(name) == 2 && isName(name[1]) {
			f.Name = name[1]
		} else if len(name) > 1 {
			return fmt.Errorf("[%s]: a plan has one name of letters, digits and -", key)
		}
		p.s.Faults = append(p.s.Faults, f)
		p.plan = &p.s.Faults[len(p.s.Faults)-1]
		return nil
	case "cluster", "data", "workload", "steps", "expect":
		if len(name) == 1 {
			return nil
		}
	}
	return fmt.Errorf("unknown section [%s]; there are cluster, data, workload, faults, steps, expect", key)
}

func (p *parser) head(key, rest string) error {
	switch {
	case key == "title" && p.s.Title == "" && rest != "":
		p.s.Title = rest
	case key == "title":
		return errors.New("title: one line, once")
	case key == "story" && rest != "":
		p.s.Story = append(p.s.Story, rest)
	case key == "story":
		return errors.New("story: an empty line")
	default:
		return fmt.Errorf("unknown word %q before the first section; there are title and story", key)
	}
	return nil
}

// isName tells whether a word can be the name of a plan.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-')
	})
}

// list is the words of a line that are not read yet.
type list struct{ words []string }

// words cuts a line at spaces; "in quotes" is one word. ; and : stand for themselves at
// the end of a word.
func words(line string) (*list, error) {
	w := &list{}
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("a quote that does not end: %s", line)
			}
			line = line[len(quoted):]
			word, _ := strconv.Unquote(quoted) // just checked
			w.words = append(w.words, word)
			continue
		}
		end := strings.IndexFunc(line+" ", isSpace)
		word := line[:end]
		line = line[end:]
		stem := strings.TrimRight(word, ";:")
		if stem != "" {
			w.words = append(w.words, stem)
		}
		for _, c := range word[len(stem):] {
			w.words = append(w.words, string(c))
		}
	}
	return w, nil
}

// next takes a word, "" at the end.
func (w *list) next() string {
	if len(w.words) == 0 {
		return ""
	}
	first := w.words[0]
	w.words = w.words[1:]
	return first
}

func (w *list) peek() string {
	if len(w.words) == 0 {
		return ""
	}
	return w.words[0]
}

// has takes a word if it is the next one.
func (w *list) has(word string) bool {
	if w.peek() != word {
		return false
	}
	w.next()
	return true
}

// end refuses words that are left.
func (w *list) end() error {
	if len(w.words) > 0 {
		return fmt.Errorf("unexpected %q", w.words[0])
	}
	return nil
}
