package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
)

// fill sets every exported field below pointer to a non-zero value that no other field has (booleans are true), so that a column that is
// forgotten or swapped shows in the round trip. Fields named by their path ("Movie.State", with the type's own name left out: "State")
// keep what they are. Times are whole microseconds in UTC.
func fill(t *testing.T, pointer any, keep ...string) {
	t.Helper()
	f := filler{t: t, keep: keep}
	f.value(reflect.ValueOf(pointer).Elem(), "")
	for _, path := range keep {
		if !slices.Contains(f.kept, path) {
			t.Fatalf("fill: there is no field %s", path)
		}
	}
}

type filler struct {
	t    *testing.T
	n    int
	keep []string
	kept []string
}

func (f *filler) value(v reflect.Value, path string) {
	if slices.Contains(f.keep, path) {
		f.kept = append(f.kept, path)
		return
	}
	f.n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2024, 2, 29, 23, 59, 0, 123_456_000, time.UTC).Add(time.Duration(f.n) * time.Hour)))
		return
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.Must(uuid.NewV7())))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprintf("%s %d 'é\" \\ 漢", path, f.n))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Uint, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n))
	case reflect.Uint8:
		v.SetUint(uint64(f.n%255 + 1))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.n) + 0.25)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.n--
		f.value(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			f.value(v.Index(i), path+"[]")
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{0, 0xff, byte(f.n)}) // no UTF-8
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.value(key, path+" key")
			f.value(value, path+" value")
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				continue
			}
			name := field.Name
			if path != "" {
				name = path + "." + name
			}
			f.value(v.Field(i), name)
		}
	default:
		f.t.Fatalf("fill: cannot fill %s of type %s", path, v.Type())
	}
}

// same fails unless got equals want in every field, nil and empty slices told apart by JSON only.
func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("what was read differs from what was written:\n got %+v\nwant %+v", got, want)
	}
}
