package caching

import (
	"fmt"
	"hash/fnv"
	"io"
	"reflect"
	"strconv"
	"sync"
)

var shapes sync.Map // of reflect.Type: string

// Shape tells apart types that read each other's JSON differently. It is part of the shared keys, so that a version of the program which knows a field
// that another does not never takes it for empty because the other wrote the value (R17).
func Shape(t reflect.Type) string {
	if known, ok := shapes.Load(t); ok {
		return known.(string)
	}
	h := fnv.New64a()
	describe(h, t, map[reflect.Type]bool{})
	made := strconv.FormatUint(h.Sum64(), 36)
	shapes.Store(t, made)
	return made
}

func describe(w io.Writer, t reflect.Type, seen map[reflect.Type]bool) {
	fmt.Fprint(w, t.String(), "(")
	defer fmt.Fprint(w, ")")
	if seen[t] {
		return
	}
	seen[t] = true
	switch t.Kind() { //nolint:exhaustive // the others are told by their names
	case reflect.Struct:
		for field := range t.Fields() {
			if field.IsExported() {
				fmt.Fprint(w, field.Name, " ", field.Tag.Get("json"), " ")
				describe(w, field.Type, seen)
			}
		}
	case reflect.Map:
		describe(w, t.Key(), seen)
		describe(w, t.Elem(), seen)
	case reflect.Array, reflect.Pointer, reflect.Slice:
		describe(w, t.Elem(), seen)
	}
}
