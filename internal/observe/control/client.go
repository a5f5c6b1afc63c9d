package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"understudy/internal/observe/status"
	"understudy/internal/unixsock"
)

// Limits of a client.
const (
	dialTime    = 3 * time.Second
	callTime    = 15 * time.Second // a request and its answer; the engine has less
	answerBytes = 64 << 20
)

// Client asks the engine behind a control socket. It is a status.Engine: what the
// engine refuses comes back as a *status.Refusal. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient makes a client. It does no I/O.
func NewClient(socket string) *Client {
	connect := func(ctx context.Context, _, _ string) (net.Conn, error) { return unixsock.Dial(ctx, socket, dialTime) }
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: connect, DisableKeepAlives: true}}}
}

// Report asks for a report; device narrows it, if any is named.
func (c *Client) Report(ctx context.Context) (*status.Report, error) {
	return c.report(ctx, nil)
}

// Devices is Report with no other devices than those named.
func (c *Client) Devices(ctx context.Context, names ...string) (*status.Report, error) {
	return c.report(ctx, url.Values{"device": names})
}

func (c *Client) report(ctx context.Context, query url.Values) (*status.Report, error) {
	r := &status.Report{}
	if err := c.call(ctx, http.MethodGet, "/v1/status?"+query.Encode(), nil, r); err != nil {
		return nil, err
	}
	return r, known(r)
}

// known: a document of a later version may mean something else by the same names.
func known(r *status.Report) error {
	if r.Version > status.Version {
		return fmt.Errorf("read the report: it is version %d, this program knows %d: it is older than the engine", r.Version, status.Version)
	}
	return nil
}

// Do has a command carried out.
func (c *Client) Do(ctx context.Context, command status.Command) (*status.Done, error) {
	path, body, err := bodyOf(command)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("write the command: %w", err)
	}
	done := &status.Done{}
	if err := c.call(ctx, http.MethodPost, path, data, done); err != nil {
		return nil, err
	}
	return done, nil
}

// DryRun asks what a pass would do now and reads the answer into a value.
func (c *Client) DryRun(ctx context.Context, ask status.DryRun, into any) error {
	data, err := json.Marshal(ask)
	if err != nil {
		return fmt.Errorf("write the question: %w", err)
	}
	return c.exchange(ctx, dryRunTime+dialTime, http.MethodPost, "/v1/dry-run", data, into)
}

// call sends a request and reads its answer into a value.
func (c *Client) call(ctx context.Context, method, path string, body []byte, into any) error {
	return c.exchange(ctx, callTime, method, path, body, into)
}

func (c *Client) exchange(ctx context.Context, limit time.Duration, method, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, answerBytes+1))
	if err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	if len(data) > answerBytes {
		return fmt.Errorf("read the engine's answer: it is longer than %d bytes", answerBytes)
	}
	if answer.StatusCode != http.StatusOK {
		return refused(answer.StatusCode, data)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the engine: %w", err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.explain(err)
	}
	return answer, nil
}

// explain says what an operator can do about an engine that cannot be asked.
func (c *Client) explain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the method and a host that there is not
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no engine runs: %s is not there", c.socket)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no engine runs: nobody listens on %s any more", c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to use %s: be its owner or root, or set control_socket_mode", c.socket)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the engine behind %s does not answer in time", c.socket)
	}
	return fmt.Errorf("ask the engine: %w", err)
}

// refused is an answer that is an error.
func refused(code int, data []byte) error {
	var p problem
	if json.Unmarshal(data, &p) != nil || p.Error == "" {
		return fmt.Errorf("ask the engine: it answers %d %s", code, http.StatusText(code))
	}
	switch code {
	case http.StatusForbidden:
		return &status.Refusal{Forbidden: true, Why: p.Error}
	case http.StatusBadRequest:
		return &status.Refusal{Why: p.Error}
	case http.StatusNotFound:
		return &status.Refusal{Unknown: true, Why: p.Error}
	}
	return errors.New(p.Error)
}
