package mediatest

import (
	"encoding/binary"
	"math/bits"
)

// Matroska's ids that laced looks at (RFC 9559).
const (
	idSegment, idCluster, idSimpleBlock = 0x18538067, 0x1F43B675, 0xA3
	idSeekHead, idCues, idVoid          = 0x114D9B74, 0x1C53BB6B, 0xEC
	xiphLacing, ebmlLacing              = 1, 3
)

// laced is a Matroska file of unlaced SimpleBlocks with up to five packets of track 2 in a block, as mkvmerge writes sound. Segment and
// clusters have no size, since theirs change, and Cues and SeekHead are blanked, since places do.
func laced(file []byte, lacing byte) []byte {
	var out []byte
	unknown := []byte{0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	var walk func(b []byte)
	var waiting [][]byte // frames
	var head []byte      // of the block that they will be in
	flush := func() {
		if len(waiting) == 0 {
			return
		}
		block := append(head[:3:3], head[3]|lacing<<1, byte(len(waiting)-1))
		if len(waiting) == 1 {
			block = head[:4:4]
		}
		for i, f := range waiting[:len(waiting)-1] {
			switch {
			case lacing == xiphLacing:
				for n := len(f); ; n -= 255 {
					block = append(block, byte(min(n, 255)))
					if n < 255 {
						break
					}
				}
			case i == 0:
				block = binary.BigEndian.AppendUint32(block, 1<<28|uint32(len(f)))
			default: // the difference, with half of the range added
				block = binary.BigEndian.AppendUint32(block, 1<<28|uint32(len(f)-len(waiting[i-1])+(1<<27-1)))
			}
		}
		for _, f := range waiting {
			block = append(block, f...)
		}
		out = append(append(out, idSimpleBlock, 0x10, byte(len(block)>>16), byte(len(block)>>8), byte(len(block))), block...)
		waiting = nil
	}
	walk = func(b []byte) {
		for len(b) > 0 {
			n := bits.LeadingZeros8(b[0]) + 1
			id := 0
			for _, c := range b[:n] {
				id = id<<8 | int(c)
			}
			m := bits.LeadingZeros8(b[n]) + 1
			size := int(b[n]) & (1<<(8-m) - 1)
			for _, c := range b[n+1 : n+m] {
				size = size<<8 | int(c)
			}
			body := b[n+m : n+m+size]
			switch {
			case id == idSegment, id == idCluster:
				flush()
				out = append(append(out, b[:n]...), unknown...)
				walk(body)
			case id == idSimpleBlock && body[0] == 0x82 && size < 1<<16:
				if len(waiting) == 0 {
					head = body[:4]
				}
				if waiting = append(waiting, body[4:]); len(waiting) == 5 {
					flush()
				}
			case id == idSeekHead, id == idCues:
				flush()
				out = append(out, idVoid)
				out = append(append(out, b[n:n+m]...), make([]byte, size)...)
			case id != idSimpleBlock:
				flush()
				fallthrough
			default:
				out = append(out, b[:n+m+size]...)
			}
			b = b[n+m+size:]
		}
		flush()
	}
	walk(file)
	return out
}
