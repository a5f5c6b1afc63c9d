package sched

import (
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Mailboxes makes mailboxes whose actors handle one message a step. alive tells
// whether the process that they are in still runs. late, which may be nil, is asked for
// each message how long its actor waits before it.
func (s *Sched) Mailboxes(node string, alive func() bool, late func() time.Duration) actor.MailboxProducer {
	return func() actor.Mailbox { return &mailbox{sched: s, node: node, alive: alive, late: late} }
}

// mailbox is an actor's queue. System messages go first, as in the library's own.
type mailbox struct {
	sched   *Sched
	node    string
	alive   func() bool
	late    func() time.Duration
	invoker actor.MessageInvoker

	mu        sync.Mutex
	system    []any
	user      []any
	suspended bool
	queued    bool
	waited    bool // before the message that is next
}

// PostUserMessage implements actor.Mailbox.
func (m *mailbox) PostUserMessage(message any) {
	m.mu.Lock()
	m.user = append(m.user, message)
	m.arm()
	m.mu.Unlock()
}

// PostSystemMessage implements actor.Mailbox.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	m.system = append(m.system, message)
	m.arm()
	m.mu.Unlock()
}

// RegisterHandlers implements actor.Mailbox. The dispatcher has nothing to do.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

// Start implements actor.Mailbox.
func (m *mailbox) Start() {}

// UserMessageCount implements actor.Mailbox.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.user)
}

// arm asks for a step, once. The lock is held.
func (m *mailbox) arm() {
	if m.queued || len(m.system) == 0 && (m.suspended || len(m.user) == 0) {
		return
	}
	m.queued = true
	m.sched.Post(m.name(), m.step)
}

// name tells whose message waits, and what it is.
func (m *mailbox) name() string {
	message := m.head()
	if e, ok := message.(*actor.MessageEnvelope); ok {
		message = e.Message
	}
	who := "?"
	if c, ok := m.invoker.(actor.Context); ok && c.Self() != nil {
		who = c.Self().Id
	}
	return fmt.Sprintf("%s actor %s %T", m.node, who, message)
}

func (m *mailbox) head() any {
	if len(m.system) > 0 {
		return m.system[0]
	}
	return m.user[0]
}

// step handles one message.
func (m *mailbox) step() {
	m.mu.Lock()
	m.queued = false
	if !m.alive() || len(m.system) == 0 && (m.suspended || len(m.user) == 0) {
		m.mu.Unlock()
		return
	}
	if m.late != nil && !m.waited {
		if d := m.late(); d > 0 {
			m.waited, m.queued = true, true
			m.sched.After(d, m.name()+" late", m.step)
			m.mu.Unlock()
			return
		}
	}
	m.waited = false
	message := m.head()
	system := len(m.system) > 0
	if system {
		m.system[0] = nil
		m.system = m.system[1:]
	} else {
		m.user[0] = nil
		m.user = m.user[1:]
	}
	m.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			m.invoker.EscalateFailure(r, message)
		}
		m.mu.Lock()
		m.arm()
		m.mu.Unlock()
	}()
	switch {
	case !system:
		m.invoker.InvokeUserMessage(message)
	default:
		switch message.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			m.invoker.InvokeSystemMessage(message)
		}
	}
}
