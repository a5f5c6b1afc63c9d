package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"understudy/internal/observe/status"
)

// silent is how long a stream of events may say nothing.
const silent = 3 * heartbeat

// errSilent ends a stream that says nothing.
var errSilent = errors.New("it has said nothing for " + silent.String())

// Events calls show with a report at once and then at an interval, in whole seconds
// and at least one, until ctx is done, show returns an error, or the engine ends. When the engine
// itself could not be asked, show gets the error in the place of a report.
func (c *Client) Events(ctx context.Context, interval time.Duration, show func(*status.Report, error) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := time.AfterFunc(silent, func() { cancel(errSilent) })
	defer limit.Stop()
	path := "/v1/events"
	if seconds := int(interval.Round(time.Second).Seconds()); seconds > 1 {
		path += "?interval=" + strconv.Itoa(seconds)
	}
	answer, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		data, _ := io.ReadAll(io.LimitReader(answer.Body, bodyBytes))
		return refused(answer.StatusCode, data)
	}
	err = frames(answer.Body, limit, show)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, errSilent) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the engine's events have ended: %w", err)
	}
	return err
}

// frames reads server-sent events; each line puts the end of patience off.
func frames(from io.Reader, limit *time.Timer, show func(*status.Report, error) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), answerBytes)
	kind := ""
	for lines.Scan() {
		limit.Reset(silent)
		line := lines.Bytes()
		if name, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			kind = string(name)
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		report, err := event(kind, data)
		if report == nil && err == nil {
			continue // of a later server
		}
		if err := show(report, err); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func event(kind string, data []byte) (*status.Report, error) {
	switch kind {
	case eventReport:
		r := &status.Report{}
		if err := json.Unmarshal(data, r); err != nil {
			return nil, fmt.Errorf("read the engine's report: %w", err)
		}
		if err := known(r); err != nil {
			return nil, err
		}
		return r, nil
	case eventTrouble:
		return nil, refused(http.StatusServiceUnavailable, data)
	}
	return nil, nil
}
