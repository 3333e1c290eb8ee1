package cmaf

import (
	"encoding/binary"
)

// ISO/IEC 14496-12: every structure is a box of size, type and body.

var be = binary.BigEndian

// box returns a box of the concatenated parts.
func box(kind string, parts ...[]byte) []byte {
	n := 8
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 8, n)
	be.PutUint32(b, uint32(n))
	copy(b[4:], kind)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// fullBox returns a box whose body begins with version and flags.
func fullBox(kind string, version byte, flags uint32, parts ...[]byte) []byte {
	return box(kind, append([][]byte{u32(uint32(version)<<24 | flags)}, parts...)...)
}

func u8(v ...byte) []byte    { return v }
func u16(v uint16) []byte    { return be.AppendUint16(nil, v) }
func u32(v uint32) []byte    { return be.AppendUint32(nil, v) }
func u64(v uint64) []byte    { return be.AppendUint64(nil, v) }
func zeros(n int) []byte     { return make([]byte, n) }
func fourCC(b []byte) string { return string(b[:4]) }
func at16(b []byte, i int) uint16 {
	if i < 0 || len(b) < i+2 {
		return 0
	}
	return be.Uint16(b[i:])
}
func at32(b []byte, i int) uint32 {
	if i < 0 || len(b) < i+4 {
		return 0
	}
	return be.Uint32(b[i:])
}
func at64(b []byte, i int) uint64 {
	if i < 0 || len(b) < i+8 {
		return 0
	}
	return be.Uint64(b[i:])
}

// eachBox visits the boxes in b. A size that leaves b is damage; fewer than eight bytes at the end are QuickTime's
// terminator and are passed over.
func eachBox(b []byte, visit func(kind string, body []byte) error) error {
	for len(b) >= 8 {
		size, header := uint64(be.Uint32(b)), 8
		switch size {
		case 0:
			size = uint64(len(b))
		case 1:
			if len(b) < 16 {
				return damaged("a box without its size")
			}
			size, header = be.Uint64(b[8:]), 16
		}
		if size < uint64(header) || size > uint64(len(b)) {
			return damaged("the box %q claims %d bytes of %d", b[4:8], size, len(b))
		}
		if err := visit(string(b[4:8]), b[header:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// child returns the body of the first box of that kind in b, and whether there is one.
func child(b []byte, kind string) ([]byte, bool) {
	var found []byte
	ok := false
	_ = eachBox(b, func(k string, body []byte) error {
		if k == kind && !ok {
			found, ok = body, true
		}
		return nil
	})
	return found, ok
}
