package cmaf

import (
	"slices"
)

// Sequence parameter sets are read here and not with mp4ff, whose reader takes counts at their word: an hour's memory for
// a mutated byte. Every loop below ends with the data or at the standard's own maximum.

// withoutEmulation removes the bytes that keep start codes out of a NAL unit (ITU-T H.264, 7.4.1).
func withoutEmulation(nal []byte) []byte {
	out := make([]byte, 0, len(nal))
	zeros := 0
	for _, c := range nal {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

// exp reads an unsigned Exp-Golomb code (9.1).
func (r *bitReader) exp() uint32 {
	n := 0
	for n < 32 && !r.over && r.bits(1) == 0 {
		n++
	}
	if n > 31 {
		r.over = true
		return 0
	}
	return 1<<n - 1 + r.bits(n)
}

// signed reads a signed Exp-Golomb code (9.1.1).
func (r *bitReader) signed() int32 {
	v := r.exp()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}

func (r *bitReader) exps(n int) {
	for range n {
		r.exp()
	}
}

// transfer reads the VUI's beginning, which both standards share: 2 (unspecified) where it says nothing.
func (r *bitReader) transfer() int {
	if !r.flag() { // no VUI
		return 2
	}
	if r.flag() && r.bits(8) == 255 { // aspect ratio
		r.bits(32)
	}
	if r.flag() { // overscan
		r.bits(1)
	}
	if r.flag() { // video signal type
		r.bits(4)
		if r.flag() { // colour description
			r.bits(8)
			if v := int(r.bits(8)); !r.over {
				return v
			}
		}
	}
	return 2
}

// readAVCSet reads bit depth and transfer characteristics of an H.264 sequence parameter set (7.3.2.1.1).
func readAVCSet(nal []byte) (depth, transfer int) {
	r := bitReader{b: withoutEmulation(nal[:min(len(nal), 4096)])}
	r.bits(8)
	profile := r.bits(8)
	r.bits(16)
	r.exp()
	depth = 8
	if slices.Contains([]uint32{100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}, profile) {
		chroma := r.exp()
		if chroma == 3 {
			r.bits(1)
		}
		depth = 8 + int(min(r.exp(), 8))
		r.exp()
		r.bits(1)
		if r.flag() { // scaling matrices
			lists := 8
			if chroma == 3 {
				lists = 12
			}
			for i := range lists {
				if !r.flag() {
					continue
				}
				size, last, next := 16, int32(8), int32(8)
				if i >= 6 {
					size = 64
				}
				for range size {
					if next != 0 {
						next = (last + r.signed()) & 255
					}
					if next != 0 {
						last = next
					}
				}
			}
		}
	}
	r.exp()
	switch r.exp() { // picture order count type
	case 0:
		r.exp()
	case 1:
		r.bits(1)
		r.exps(2)
		r.exps(int(min(r.exp(), 255)))
	}
	r.exp()
	r.bits(1)
	r.exps(2)
	if !r.flag() { // frames only
		r.bits(1)
	}
	r.bits(1)
	if r.flag() { // cropping
		r.exps(4)
	}
	transfer = r.transfer()
	return depth, transfer
}

// readHEVCSet reads the transfer characteristics of an H.265 sequence parameter set (ITU-T H.265, 7.3.2.2).
func readHEVCSet(nal []byte) int {
	r := bitReader{b: withoutEmulation(nal[:min(len(nal), 4096)])}
	r.bits(16 + 4)
	layers := int(r.bits(3))
	r.bits(1)
	r.bits(96) // profile, tier, level
	present := r.bits(2 * layers)
	if layers > 0 {
		r.bits(2 * (8 - layers))
	}
	for i := range layers {
		if present>>(2*(layers-1-i)+1)&1 == 1 {
			r.bits(88)
		}
		if present>>(2*(layers-1-i))&1 == 1 {
			r.bits(8)
		}
	}
	r.exp()
	if r.exp() == 3 {
		r.bits(1)
	}
	r.exps(2)
	if r.flag() { // conformance window
		r.exps(4)
	}
	r.exps(2)
	order := int(min(r.exp(), 12)) + 4
	ordered := 1
	if r.flag() {
		ordered = layers + 1
	}
	r.exps(3*ordered + 6)
	if enabled := r.flag(); enabled && r.flag() { // scaling lists
		for size := range 4 {
			for matrix := 0; matrix < 6; matrix++ {
				if size == 3 && matrix%3 != 0 {
					continue
				}
				if !r.flag() {
					r.exp()
					continue
				}
				if size > 1 {
					r.exp()
				}
				r.exps(min(64, 1<<(4+2*size)))
			}
		}
	}
	r.bits(2)
	if r.flag() { // PCM
		r.bits(8)
		r.exps(2)
		r.bits(1)
	}
	previous := 0 // pictures in the reference set before
	for i := range min(r.exp(), 64) {
		if i > 0 && r.flag() { // predicted from it
			r.bits(1)
			r.exp()
			pictures := 0
			for range previous + 1 {
				used := r.flag()
				pictures += b2i(used || r.flag())
			}
			previous = pictures
			continue
		}
		before, after := int(min(r.exp(), 16)), int(min(r.exp(), 16))
		for range before + after {
			r.exp()
			r.bits(1)
		}
		previous = before + after
	}
	if r.flag() { // long-term pictures
		for range min(r.exp(), 32) {
			r.bits(order + 1)
		}
	}
	r.bits(2)
	return r.transfer()
}
