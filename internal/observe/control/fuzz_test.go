package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"

	"understudy/internal/observe/status"
)

// Any bytes are a command or an error that says what is wrong with them; a command
// survives the way through the client.
func FuzzBodies(f *testing.F) {
	for _, text := range []string{
		"", "{}", `{"scope":"device","name":"sda","for_seconds":1.5}`, `{"policy":1,"partitions":[7,4294967295]}`, `{"jobs":3,"tranquility":1.5,"reset":true}`,
		`{"profile":"drain","for_seconds":3600}`, `{"device":"\u0000"}`, `{"for_seconds":1e308}`, `[[[[`, "\xff\xfe", `{"jobs":null}`,
	} {
		for name := range bodies {
			f.Add(name, []byte(text))
		}
		f.Add("limits", []byte(text))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		b := body(&limitsBody{})
		if made := bodies[name]; made != nil {
			b = made()
		}
		c, err := commandOf(b, data)
		if err != nil {
			var bad *badRequest
			var refusal *status.Refusal
			if !errors.As(err, &bad) && !errors.As(err, &refusal) {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		_, sent, err := bodyOf(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(sent)
		if err != nil {
			t.Fatalf("%#v: %v", c, err)
		}
		if c2, err := commandOf(reflect.New(reflect.TypeOf(b).Elem()).Interface().(body), again); err != nil || !reflect.DeepEqual(c, c2) {
			t.Errorf("%#v becomes %#v, %v", c, c2, err)
		}
	})
}

func commandOf(b body, data []byte) (status.Command, error) {
	r := httptest.NewRequest(http.MethodPost, "/v1/x", bytes.NewReader(data))
	if err := read(httptest.NewRecorder(), r, b); err != nil {
		return nil, err
	}
	return b.command()
}
