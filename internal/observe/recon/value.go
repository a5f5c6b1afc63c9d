package recon

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A value is JSON as Python holds it: nil, bool, number, text, list or object.
// Numbers keep the text that Python would print, so that what other daemons
// wrote survives to the byte.
type (
	value  any
	number string
	text   string // UTF-8, and lone surrogates in three bytes as UTF-8 would
	list   []value
	object map[string]value // keys as text
)

// maxDepth bounds how deep values nest; Python gives up at a similar depth.
const maxDepth = 900

func convertEntries(entries map[string]any) (object, error) {
	o := make(object, len(entries))
	for key, entry := range entries {
		v, err := convert(reflect.ValueOf(entry), 0)
		if err != nil {
			return nil, fmt.Errorf("convert recon entry %s: %w", key, err)
		}
		o[strings.ToValidUTF8(key, "\uFFFD")] = v
	}
	return o, nil
}

// convert turns a Go value into one of ours.
func convert(v reflect.Value, depth int) (value, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch v.Kind() {
	case reflect.Invalid:
		return nil, nil
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil, nil
		}
		return convert(v.Elem(), depth+1)
	case reflect.Bool:
		return v.Bool(), nil
	case reflect.String:
		return text(strings.ToValidUTF8(v.String(), "\uFFFD")), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return number(strconv.FormatInt(v.Int(), 10)), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return number(strconv.FormatUint(v.Uint(), 10)), nil
	case reflect.Float32, reflect.Float64:
		return pyFloat(v.Float()), nil
	case reflect.Slice, reflect.Array:
		l := make(list, v.Len())
		for i := range l {
			item, err := convert(v.Index(i), depth+1)
			if err != nil {
				return nil, err
			}
			l[i] = item
		}
		return l, nil
	case reflect.Map:
		return convertMap(v, depth)
	}
	return nil, fmt.Errorf("a %s has no form in JSON", v.Type())
}

func convertMap(v reflect.Value, depth int) (value, error) {
	if v.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("a %s has no form in JSON", v.Type())
	}
	o := make(object, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		item, err := convert(iter.Value(), depth+1)
		if err != nil {
			return nil, err
		}
		o[strings.ToValidUTF8(iter.Key().String(), "\uFFFD")] = item
	}
	return o, nil
}

// pyFloat prints a float as Python's repr: the shortest digits that read back,
// with an exponent below 1e-4 and from 1e16 on.
func pyFloat(f float64) number {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	e := strconv.FormatFloat(f, 'e', -1, 64)
	exp, _ := strconv.Atoi(e[strings.IndexByte(e, 'e')+1:])
	if f != 0 && (exp < -4 || exp >= 16) {
		return number(e)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return number(s)
}

// encode appends a value as Python's json.dumps(sort_keys=True) prints it.
func encode(b []byte, v value) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case number:
		return append(b, v...)
	case text:
		return encodeText(b, string(v))
	case list:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = encode(b, item)
		}
		return append(b, ']')
	case object:
		b = append(b, '{')
		// The order of the bytes is the order of the code points.
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(encodeText(b, key), ": "...)
			b = encode(b, v[key])
		}
		return append(b, '}')
	}
	panic(fmt.Sprintf("recon: a %T is no value", v))
}
