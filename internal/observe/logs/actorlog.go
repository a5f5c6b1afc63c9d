package logs

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/rs/zerolog"
)

// ActorLogger is the logger for the actor system itself, which wants an slog.
// Attributes whose names mean something else here get the prefix "actor_".
// Messages are shown by their type only: writing one out while its receiver
// works on it would be a data race, and it may be large. What the library tells
// as information (that it started, letters to actors that have ended) is of use
// in a search for bugs only, and logged as debug.
func ActorLogger(l zerolog.Logger) *slog.Logger {
	return slog.New(actorHandler{zerolog.NewSlogHandler(l)})
}

type actorHandler struct{ next slog.Handler }

func (h actorHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.next.Enabled(ctx, quieter(l))
}

func quieter(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelDebug
	}
	return l
}

func (h actorHandler) Handle(ctx context.Context, r slog.Record) error {
	plain := slog.NewRecord(time.Time{}, quieter(r.Level), r.Message, 0) // the time is added when the line is written
	r.Attrs(func(a slog.Attr) bool {
		plain.AddAttrs(plainAttr(a))
		return true
	})
	return h.next.Handle(ctx, plain)
}

func (h actorHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	plain := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		plain[i] = plainAttr(a)
	}
	return actorHandler{h.next.WithAttrs(plain)}
}

func (h actorHandler) WithGroup(name string) slog.Handler {
	return actorHandler{h.next.WithGroup(name)}
}

func plainAttr(a slog.Attr) slog.Attr {
	switch a.Key {
	case zerolog.MessageFieldName, zerolog.TimestampFieldName, levelField, swiftField:
		a.Key = "actor_" + a.Key
	}
	if a.Value.Kind() == slog.KindAny {
		a.Value = slog.StringValue(plainValue(a.Value.Any()))
	}
	return a
}

// plainValue shows a PID by its id, an error by its text, strings and numbers as
// they are and all else by its type.
func plainValue(v any) string {
	switch v := v.(type) {
	case interface {
		GetId() string
		GetAddress() string
	}: // *actor.PID
		if reflect.ValueOf(v).Kind() == reflect.Pointer && reflect.ValueOf(v).IsNil() {
			return ""
		}
		return v.GetId()
	case error:
		return v.Error()
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.String, reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%T", v)
}
