package cmaf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"
)

// described is what is known of a track's codec, from whichever container.
type described struct {
	codec, codecString, profile string
	level                       int
	entry                       []byte // sample entry for MP4, nil where there is none
	config                      []byte // see track.config
	sampleRate, channels        int
	width, height, bitDepth     int
	hdr                         string
	transfer                    int // ISO/IEC 23091-2
	nalLength                   int // bytes of a NAL unit's length, 0 for codecs without
	frameSamples                int // samples in every frame, 0 where frames differ or are not known
}

// visualEntry is a VisualSampleEntry (ISO/IEC 14496-12, 12.1.3).
func visualEntry(kind string, width, height int, children ...[]byte) []byte {
	head := [][]byte{zeros(6), u16(1), zeros(16), u16(uint16(width)), u16(uint16(height)), u32(72 << 16), u32(72 << 16), zeros(4), u16(1), zeros(32), u16(24), u16(0xffff)}
	return box(kind, append(head, children...)...)
}

// audioEntry is an AudioSampleEntry (12.2.3). Rates beyond 16 bits are written as 0: the codec's own box says them.
func audioEntry(kind string, channels, bits, rate int, children ...[]byte) []byte {
	if rate > 0xffff {
		rate = 0
	}
	head := [][]byte{zeros(6), u16(1), zeros(8), u16(uint16(channels)), u16(uint16(bits)), zeros(4), u32(uint32(rate) << 16)}
	return box(kind, append(head, children...)...)
}

// esds is the box of an MPEG-4 elementary stream descriptor (ISO/IEC 14496-1, 7.2.6.5) of an object type.
func esds(objectType byte, streamType byte, config []byte) []byte {
	descriptor := func(tag byte, parts ...[]byte) []byte {
		var body []byte
		for _, p := range parts {
			body = append(body, p...)
		}
		n := len(body)
		return append([]byte{tag, byte(n>>21) | 0x80, byte(n>>14) | 0x80, byte(n>>7) | 0x80, byte(n & 0x7f)}, body...)
	}
	var specific []byte
	if len(config) > 0 {
		specific = descriptor(5, config)
	}
	decoder := descriptor(4, u8(objectType, streamType<<2|1), zeros(3), zeros(8), specific)
	return fullBox("esds", 0, 0, descriptor(3, u16(0), u8(0), decoder, descriptor(6, u8(2))))
}

// parseESDS returns the object type and the decoder's configuration.
func parseESDS(b []byte) (objectType byte, config []byte) {
	if len(b) < 4 {
		return 0, nil
	}
	b = b[4:]
	for len(b) >= 2 {
		tag, n, i := b[0], 0, 1
		for ; i < len(b) && i < 5; i++ {
			n = n<<7 | int(b[i]&0x7f)
			if b[i]&0x80 == 0 {
				i++
				break
			}
		}
		body := b[min(i, len(b)):]
		body = body[:min(n, len(body))]
		skip := 0
		switch tag {
		case 3:
			if len(body) < 3 {
				return objectType, config
			}
			skip = 3
			if body[2]&0x80 != 0 {
				skip += 2
			}
			if body[2]&0x40 != 0 && skip < len(body) {
				skip += 1 + int(body[skip])
			}
			if body[2]&0x20 != 0 {
				skip += 2
			}
		case 4:
			if len(body) < 13 {
				return objectType, config
			}
			objectType, skip = body[0], 13
		case 5:
			return objectType, body
		default:
			b = b[min(i+n, len(b)):]
			continue
		}
		b = body[min(skip, len(body)):]
	}
	return objectType, config
}

// bitReader reads big-endian bits; beyond the end it reads zeros and sets over.
type bitReader struct {
	b    []byte
	pos  int
	over bool
}

func (r *bitReader) bits(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if r.pos>>3 < len(r.b) {
			v |= uint32(r.b[r.pos>>3]>>(7-r.pos&7)) & 1
		} else {
			r.over = true
		}
		r.pos++
	}
	return v
}

func (r *bitReader) flag() bool { return r.bits(1) == 1 }

var aacRates = [16]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}

// aacConfig is an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
type aacConfig struct {
	object, core         int // as signalled, and of the core coder (SBR and PS say both)
	coreRate, rate       int
	channels, chanConfig int
	short                bool // 960 samples a frame
}

func parseAAC(b []byte) (aacConfig, bool) {
	r := bitReader{b: b}
	object := func() int {
		if v := int(r.bits(5)); v != 31 {
			return v
		}
		return 32 + int(r.bits(6))
	}
	rate := func() int {
		if i := r.bits(4); i != 15 {
			return aacRates[i]
		}
		return int(r.bits(24))
	}
	var c aacConfig
	c.object = object()
	c.coreRate = rate()
	c.rate, c.core, c.chanConfig = c.coreRate, c.object, int(r.bits(4))
	c.channels = []int{0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0}[c.chanConfig]
	if c.object == 5 || c.object == 29 {
		c.rate = rate()
		c.core = object()
		if c.object == 29 && c.channels == 1 {
			c.channels = 2
		}
	}
	c.short = r.flag()
	if c.object == 2 {
		r.bits(0)
		if r.flag() { // dependsOnCoreCoder
			r.bits(14)
		}
		r.flag()
		if !r.over && c.chanConfig != 0 && r.bits(11) == 0x2b7 && object() == 5 && r.flag() { // backward compatible SBR
			if sbr := rate(); !r.over && sbr > 0 {
				c.object, c.rate = 5, sbr
				if r.bits(11) == 0x548 && r.flag() && !r.over {
					c.object, c.channels = 29, 2
				}
			}
		}
	}
	return c, len(b) >= 2 && c.coreRate > 0 && c.coreRate <= 192000 && c.rate > 0 && c.rate <= 192000
}

// aacTrack describes AAC; channels and rate are the container's, for configurations that leave them out.
func aacTrack(config []byte, channels int) described {
	d := described{codec: "aac", codecString: "mp4a.40.2", config: config, channels: channels}
	c, ok := parseAAC(config)
	if !ok {
		return described{codec: "aac", channels: channels}
	}
	if c.channels > 0 {
		d.channels = c.channels
	}
	d.sampleRate, d.codecString = c.rate, fmt.Sprintf("mp4a.40.%d", c.object)
	d.profile = map[int]string{1: "Main", 2: "LC", 3: "SSR", 4: "LTP", 5: "HE-AAC", 29: "HE-AACv2", 23: "LD", 39: "ELD", 42: "xHE-AAC"}[c.object]
	d.frameSamples = 1024 * c.rate / c.coreRate
	if c.short {
		d.frameSamples = 960 * c.rate / c.coreRate
	}
	d.entry = audioEntry("mp4a", d.channels, 16, c.coreRate, esds(0x40, 5, config))
	return d
}

func hdrOf(transfer int) string {
	switch transfer {
	case 16:
		return "hdr10"
	case 18:
		return "hlg"
	}
	return ""
}

// avcTrack describes H.264 by its AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1).
func avcTrack(avcC []byte) described {
	d := described{codec: "h264", bitDepth: 8, transfer: 2}
	if len(avcC) < 7 || avcC[0] != 1 {
		return d
	}
	d.codecString = fmt.Sprintf("avc1.%02x%02x%02x", avcC[1], avcC[2], avcC[3])
	d.level, d.nalLength, d.config = int(avcC[3]), int(avcC[4]&3)+1, avcC
	d.profile = map[byte]string{66: "Baseline", 77: "Main", 88: "Extended", 100: "High", 110: "High 10", 122: "High 4:2:2", 244: "High 4:4:4 Predictive", 44: "CAVLC 4:4:4"}[avcC[1]]
	if avcC[1] == 66 && avcC[2]&0x40 != 0 {
		d.profile = "Constrained Baseline"
	}
	if n := int(at16(avcC, 6)); avcC[5]&31 > 0 && n > 4 && 8+n <= len(avcC) {
		d.bitDepth, d.transfer = readAVCSet(avcC[8 : 8+n])
	}
	return d
}

// hevcTrack describes H.265 by its HEVCDecoderConfigurationRecord (8.3.3.1).
func hevcTrack(hvcC []byte) described {
	d := described{codec: "hevc", bitDepth: 8, transfer: 2}
	if len(hvcC) < 23 {
		return d
	}
	d.config, d.nalLength, d.level, d.bitDepth = hvcC, int(hvcC[21]&3)+1, int(hvcC[12]), int(hvcC[17]&7)+8
	profile := hvcC[1] & 31
	d.profile = map[byte]string{1: "Main", 2: "Main 10", 3: "Main Still Picture", 4: "Rext"}[profile]
	tier := "L"
	if hvcC[1]&0x20 != 0 {
		tier = "H"
	}
	d.codecString = fmt.Sprintf("hvc1.%s%d.%X.%s%d", []string{"", "A", "B", "C"}[hvcC[1]>>6], profile, bits.Reverse32(at32(hvcC, 2)), tier, hvcC[12])
	for _, c := range bytes.TrimRight(hvcC[6:12], "\x00") { // trailing zero bytes are left out (E.3)
		d.codecString += fmt.Sprintf(".%X", c)
	}
	eachHEVCSet(hvcC, func(kind byte, nal []byte) {
		if kind == 33 {
			d.transfer = readHEVCSet(nal)
		}
	})
	return d
}

// eachHEVCSet visits the parameter sets in an hvcC.
func eachHEVCSet(hvcC []byte, visit func(kind byte, nal []byte)) {
	if len(hvcC) < 23 {
		return
	}
	b := hvcC[23:]
	for range hvcC[22] {
		if len(b) < 3 {
			return
		}
		kind, n := b[0]&0x3f, at16(b, 1)
		b = b[3:]
		for range n {
			size := int(at16(b, 0))
			if len(b) < 2+size {
				return
			}
			visit(kind, b[2:2+size])
			b = b[2+size:]
		}
	}
}

// completeHEVC returns an hvcC as hvc1 demands it: with all parameter sets in complete arrays, taken from the first
// keyframe where the record has none.
func completeHEVC(hvcC, keyframe []byte) []byte {
	if len(hvcC) < 23 {
		return nil
	}
	sets := map[byte][][]byte{}
	order := []byte{32, 33, 34, 39}
	keep := func(kind byte, nal []byte) { sets[kind] = append(sets[kind], append([]byte(nil), nal...)) }
	eachHEVCSet(hvcC, keep)
	if len(sets[33]) == 0 {
		eachNAL(keyframe, int(hvcC[21]&3)+1, func(nal []byte) bool {
			if kind := nal[0] >> 1 & 0x3f; kind >= 32 && kind <= 34 {
				keep(kind, nal)
			}
			return true
		})
	}
	if len(sets[33]) == 0 || len(sets[34]) == 0 {
		return nil
	}
	out := append([]byte(nil), hvcC[:22]...)
	out = append(out, 0)
	for _, kind := range order {
		if len(sets[kind]) == 0 {
			continue
		}
		out[22]++
		complete := byte(0x80)
		if kind == 39 {
			complete = 0
		}
		out = append(out, complete|kind)
		out = be.AppendUint16(out, uint16(len(sets[kind])))
		for _, nal := range sets[kind] {
			out = append(be.AppendUint16(out, uint16(len(nal))), nal...)
		}
	}
	return out
}

// eachNAL visits the NAL units of a packet of which perhaps only the beginning is at hand; visit ends it with false.
func eachNAL(b []byte, length int, visit func(nal []byte) bool) {
	for length > 0 && len(b) > length {
		n := 0
		for _, c := range b[:length] {
			n = n<<8 | int(c)
		}
		b = b[length:]
		nal := b[:min(n, len(b))]
		if len(nal) > 0 && !visit(nal) {
			return
		}
		b = b[len(nal):]
	}
}

// isIDR tells whether the packet's first slice belongs to an instantaneous refresh; known is false where no slice is at hand.
func isIDR(codec string, packet []byte, nalLength int) (idr, known bool) {
	eachNAL(packet, nalLength, func(nal []byte) bool {
		if codec == "h264" {
			if kind := nal[0] & 31; kind >= 1 && kind <= 5 {
				idr, known = kind == 5, true
			}
		} else if kind := nal[0] >> 1 & 0x3f; kind < 32 {
			idr, known = kind == 19 || kind == 20, true
		}
		return !known
	})
	return idr, known
}

// hasHDR10Plus looks for SMPTE ST 2094-40 metadata: a registered ITU-T T.35 message in a prefix SEI.
func hasHDR10Plus(packet []byte, nalLength int) bool {
	found := false
	eachNAL(packet, nalLength, func(nal []byte) bool {
		if nal[0]>>1&0x3f == 39 && strings.Contains(string(nal), "\xb5\x00\x3c\x00\x01\x04") {
			found = true
		}
		return !found && nal[0]>>1&0x3f >= 32
	})
	return found
}

// av1Track describes AV1 by its av1C (AV1 in ISOBMFF, 2.3).
func av1Track(av1C []byte) described {
	d := described{codec: "av1", bitDepth: 8, transfer: 2}
	if len(av1C) < 4 || av1C[0] != 0x81 {
		return d
	}
	d.config = av1C
	profile, level, tier := av1C[1]>>5, av1C[1]&31, "M"
	if av1C[2]&0x80 != 0 {
		tier = "H"
	}
	if av1C[2]&0x40 != 0 {
		if d.bitDepth = 10; profile == 2 && av1C[2]&0x20 != 0 {
			d.bitDepth = 12
		}
	}
	d.level, d.profile = int(level), []string{"Main", "High", "Professional", "", "", "", "", ""}[profile]
	d.codecString = fmt.Sprintf("av01.%d.%02d%s.%02d", profile, level, tier, d.bitDepth)
	d.transfer = av1Transfer(av1C[4:])
	return d
}

// av1Transfer reads the transfer characteristics of a sequence header (AV1 5.5), 2 (unspecified) where it cannot.
func av1Transfer(obu []byte) int {
	if len(obu) < 2 || obu[0]>>3&15 != 1 {
		return 2
	}
	b := obu[1:]
	if obu[0]&4 != 0 {
		b = b[1:]
	}
	if obu[0]&2 != 0 {
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return 2
		}
		b = b[n:]
	}
	r := bitReader{b: b}
	profile := r.bits(3)
	r.bits(1)
	if r.flag() { // reduced still picture header
		return 2
	}
	uvlc := func() uint32 {
		zeros := 0
		for !r.flag() && zeros < 32 && !r.over {
			zeros++
		}
		return r.bits(min(zeros, 31))
	}
	decoderModel := false
	delayBits := 0
	if r.flag() { // timing info
		r.bits(32)
		r.bits(32)
		if r.flag() {
			uvlc()
		}
		if decoderModel = r.flag(); decoderModel {
			delayBits = int(r.bits(5)) + 1
			r.bits(32)
			r.bits(10)
		}
	}
	displayDelay := r.flag()
	for range r.bits(5) + 1 {
		r.bits(12)
		if r.bits(5) > 7 {
			r.bits(1)
		}
		if decoderModel && r.flag() {
			r.bits(delayBits)
			r.bits(delayBits)
			r.bits(1)
		}
		if displayDelay && r.flag() {
			r.bits(4)
		}
	}
	w, h := int(r.bits(4))+1, int(r.bits(4))+1
	r.bits(w)
	r.bits(h)
	if r.flag() { // frame ids
		r.bits(7)
	}
	r.bits(3)     // superblocks, filter intra, intra edge filter
	r.bits(4)     // interintra, masked, warped, dual filter
	if r.flag() { // order hint
		r.bits(2)
		orderHint := true
		force := uint32(2)
		if !r.flag() {
			force = r.bits(1)
		}
		if force > 0 && !r.flag() {
			r.bits(1)
		}
		if orderHint {
			r.bits(3)
		}
	} else {
		force := uint32(2)
		if !r.flag() {
			force = r.bits(1)
		}
		if force > 0 && !r.flag() {
			r.bits(1)
		}
	}
	r.bits(3) // superres, cdef, restoration
	high := r.flag()
	if profile == 2 && high {
		r.bits(1)
	}
	if profile != 1 {
		r.bits(1) // monochrome
	}
	if !r.flag() || r.over {
		return 2
	}
	r.bits(8)
	if t := int(r.bits(8)); !r.over {
		return t
	}
	return 2
}

// vp9Track describes VP9 by the body of its vpcC (VP Codec ISO Media File Format Binding, without version and flags).
func vp9Track(vpcC []byte) described {
	d := described{codec: "vp9", bitDepth: 8, transfer: 2}
	if len(vpcC) < 8 {
		return d
	}
	d.level, d.bitDepth, d.transfer = int(vpcC[1]), int(vpcC[2]>>4), int(vpcC[4])
	d.profile = fmt.Sprintf("Profile %d", vpcC[0])
	d.codecString = fmt.Sprintf("vp09.%02d.%02d.%02d", vpcC[0], vpcC[1], d.bitDepth)
	d.config = vpcC
	return d
}

// vp9Config makes the body of a vpcC of WebM's features (id, length, value) or, without, of the first frame's header.
func vp9Config(private, frame []byte, width, height int, rate float64, colour [4]byte) []byte {
	profile, level, depth, chroma := byte(0), byte(0), byte(8), byte(1)
	if len(frame) > 1 {
		r := bitReader{b: frame}
		r.bits(2)
		low := r.bits(1)
		profile = byte(r.bits(1)<<1 | low)
		if profile == 3 {
			r.bits(1)
		}
		if existing, kind := r.bits(1), r.bits(1); existing == 0 && kind == 0 { // shown keyframe: bit depth follows the sync code
			r.bits(2)
			r.bits(24)
			if depth = 8; profile >= 2 {
				depth = 10 + byte(r.bits(1))*2
			}
		}
	}
	for b := private; len(b) >= 3 && int(b[1]) <= len(b)-2; b = b[2+int(b[1]):] {
		switch b[0] {
		case 1:
			profile = b[2]
		case 2:
			level = b[2]
		case 3:
			depth = b[2]
		case 4:
			chroma = b[2]
		}
	}
	if level == 0 {
		level = vp9Level(width, height, rate)
	}
	if profile == 1 || profile == 3 {
		chroma = 3
	}
	return []byte{profile, level, depth<<4 | chroma<<1 | colour[3]&1, colour[0], colour[1], colour[2], 0, 0}
}

// vp9Level is the lowest level whose sample rate and picture size suffice.
func vp9Level(width, height int, rate float64) byte {
	size := width * height
	for _, l := range []struct {
		level byte
		rate  float64
		size  int
	}{{10, 829440, 36864}, {11, 2764800, 73728}, {20, 4608000, 122880}, {21, 9216000, 245760}, {30, 20736000, 552960}, {31, 36864000, 983040},
		{40, 83558400, 2228224}, {41, 160432128, 2228224}, {50, 311951360, 8912896}, {51, 588251136, 8912896}, {52, 1176502272, 8912896},
		{60, 1176502272, 35651584}, {61, 2353004544, 35651584}} {
		if size <= l.size && float64(size)*rate <= l.rate {
			return l.level
		}
	}
	return 62
}

// ac3Track describes AC-3 by a frame's header (ETSI TS 102 366, 4.3 and F.4).
func ac3Track(frame []byte) described {
	d := described{codec: "ac3", codecString: "ac-3", frameSamples: 1536}
	if len(frame) < 8 || at16(frame, 0) != 0x0b77 || frame[5]>>3 > 10 {
		return d
	}
	r := bitReader{b: frame[4:]}
	fscod, frmsizecod, bsid, bsmod, acmod := r.bits(2), r.bits(6), r.bits(5), r.bits(3), r.bits(3)
	if acmod&1 != 0 && acmod != 1 {
		r.bits(2)
	}
	if acmod&4 != 0 {
		r.bits(2)
	}
	if acmod == 2 {
		r.bits(2)
	}
	lfe := r.bits(1)
	if fscod == 3 || frmsizecod > 37 {
		return d
	}
	d.sampleRate = []int{48000, 44100, 32000}[fscod] >> max(0, int(bsid)-8)
	d.channels = []int{2, 1, 2, 3, 3, 4, 4, 5}[acmod] + int(lfe)
	dac3 := fscod<<22 | bsid<<17 | bsmod<<14 | acmod<<11 | lfe<<10 | (frmsizecod>>1)<<5
	d.entry = audioEntry("ac-3", d.channels, 16, d.sampleRate, box("dac3", u32(dac3)[1:]))
	return d
}

// eac3Track describes E-AC-3 by a packet: an independent substream and those that depend on it (E.1.2 and F.6).
func eac3Track(packet []byte) described {
	d := described{codec: "eac3", codecString: "ec-3"}
	type substream struct{ fscod, bsid, acmod, lfe, dependent, location uint32 }
	var subs []substream
	size, blocks := 0, 6
	var places uint32 // the channel map of table E2.5: what the independent substream has, and what is added to it
	for b := packet; len(b) >= 8 && at16(b, 0) == 0x0b77; {
		r := bitReader{b: b[2:]}
		kind := r.bits(2)
		r.bits(3)
		n := 2 * (int(r.bits(11)) + 1)
		s := substream{fscod: r.bits(2)}
		rate := 0
		code := r.bits(2)
		if s.fscod == 3 {
			rate = []int{24000, 22050, 16000, 0}[code]
			code = 3
		} else {
			rate = []int{48000, 44100, 32000}[s.fscod]
		}
		s.acmod, s.lfe, s.bsid = r.bits(3), r.bits(1), r.bits(5)
		if s.bsid <= 10 || s.bsid > 16 {
			break
		}
		size += n
		if kind == 1 {
			for range 1 + b2i(s.acmod == 0) {
				r.bits(5)
				if r.flag() {
					r.bits(8)
				}
			}
			location := s.acmod
			if r.flag() {
				m := r.bits(16)
				places |= m
				location = m >> 5 & 0x1f
			}
			if len(subs) > 0 {
				p := &subs[len(subs)-1]
				p.dependent++
				p.location |= location
			}
		} else {
			if len(subs) == 0 {
				d.sampleRate, blocks = rate, []int{1, 2, 3, 6}[code]
				places = []uint32{0xa000, 0x4000, 0xa000, 0xe000, 0xa100, 0xe100, 0xb800, 0xf800}[s.acmod] | s.lfe
			}
			subs = append(subs, s)
		}
		if n > len(b) {
			break
		}
		b = b[n:]
	}
	if len(subs) == 0 || len(subs) > 8 || d.sampleRate == 0 {
		return d
	}
	d.frameSamples = 256 * blocks
	d.channels = bits.OnesCount32(places) + bits.OnesCount32(places&0x0674) // the second are pairs
	w := []byte{}
	kbits := uint16(min(size*8*d.sampleRate/(1000*256*blocks), 0x1fff))
	w = be.AppendUint16(w, kbits<<3|uint16(len(subs)-1))
	for _, s := range subs {
		w = append(w, byte(s.fscod<<6|s.bsid<<1), byte(s.acmod<<1|s.lfe), byte(s.dependent<<1))
		if s.dependent > 0 {
			w[len(w)-1] |= byte(s.location >> 8 & 1)
			w = append(w, byte(s.location))
		}
	}
	d.entry = audioEntry("ec-3", d.channels, 16, d.sampleRate, box("dec3", w))
	return d
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// dtsTrack describes DTS by a core frame's header (ETSI TS 102 114, 5.3 and E.2.2.3).
func dtsTrack(packet []byte) described {
	d := described{codec: "dts", codecString: "dtsc", profile: "DTS"}
	if len(packet) < 16 || at32(packet, 0) != 0x7ffe8001 {
		return d
	}
	r := bitReader{b: packet[4:]}
	r.bits(1 + 5 + 1)
	blocks, size := int(r.bits(7))+1, int(r.bits(14))+1
	amode, sfreq, rateCode := r.bits(6), r.bits(4), r.bits(5)
	r.bits(10)
	lfe := r.bits(2)
	d.sampleRate = []int{0, 8000, 16000, 32000, 0, 0, 11025, 22050, 44100, 0, 0, 12000, 24000, 48000, 0, 0}[sfreq]
	d.frameSamples = blocks * 32
	if amode < 16 {
		d.channels = []int{1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 6, 6, 7, 8, 8}[amode] + b2i(lfe > 0)
	}
	if len(packet) >= size+4 && at32(packet, size) == 0x64582025 {
		d.profile, d.codecString = "DTS-HD HRA", "dtsh"
		if strings.Contains(string(packet[size:]), "\x41\xa2\x95\x47") {
			d.profile, d.codecString = "DTS-HD MA", "dtsh"
		}
	}
	if d.sampleRate == 0 || d.channels == 0 {
		return d
	}
	bitRates := []uint32{32, 56, 64, 96, 112, 128, 192, 224, 256, 320, 384, 448, 512, 576, 640, 768, 960, 1024, 1152, 1280, 1344, 1408, 1411, 1472, 1536, 1920, 2048, 3072, 3840}
	rate := uint32(1536000)
	if int(rateCode) < len(bitRates) {
		rate = bitRates[rateCode] * 1000
	}
	duration := map[int]byte{512: 0, 1024: 1, 2048: 2, 4096: 3}[d.frameSamples]
	construction := byte(1) // core only
	if d.codecString == "dtsh" {
		construction = 17
	}
	layout := uint16(0x0007)
	if d.channels <= 2 {
		layout = 0x0002
	}
	// DTSSpecificBox: rates, PCM depth, then 2 bits duration, 5 stream construction, 1 core LFE, 6 core layout,
	// 14 core size, 1 downmix, 3 representation, 16 layout, 1 multi-asset, 1 LBR duration, 6 reserved.
	bitsOut := uint64(duration)<<54 | uint64(construction)<<49 | uint64(b2i(lfe > 0))<<48 | uint64(amode&0x3f)<<42 | uint64(size&0x3fff)<<28 | uint64(layout)<<8
	ddts := box("ddts", u32(uint32(d.sampleRate)), u32(rate), u32(rate), u8(24), u64(bitsOut)[1:])
	d.entry = audioEntry(d.codecString, d.channels, 16, d.sampleRate, ddts)
	return d
}

// mp3Track describes MPEG audio by a frame's header.
func mp3Track(frame []byte, channels, rate int) described {
	d := described{codec: "mp3", codecString: "mp4a.6B", channels: channels, sampleRate: rate, frameSamples: 1152}
	if len(frame) >= 4 && frame[0] == 0xff && frame[1]&0xe0 == 0xe0 {
		version, layer, rateIndex := frame[1]>>3&3, frame[1]>>1&3, frame[2]>>2&3
		if rateIndex < 3 && version != 1 {
			d.sampleRate = []int{44100, 48000, 32000}[rateIndex] >> map[byte]int{3: 0, 2: 1, 0: 2}[version]
		}
		if d.channels = 2; frame[3]>>6 == 3 {
			d.channels = 1
		}
		if layer == 1 && version != 3 {
			d.frameSamples = 576
		}
		if layer != 1 {
			d.codec, d.codecString, d.frameSamples = "mp"+string('0'+4-layer), "", map[byte]int{2: 1152, 3: 384}[layer]
			return d
		}
	}
	d.entry = audioEntry("mp4a", d.channels, 16, d.sampleRate, esds(0x6b, 5, nil))
	return d
}

// flacTrack describes FLAC by its metadata blocks (without the marker "fLaC"), of which STREAMINFO is the first.
func flacTrack(blocks []byte) described {
	d := described{codec: "flac", codecString: "flac"}
	if len(blocks) < 38 || blocks[0]&0x7f != 0 || at32(blocks, 0)&0xffffff != 34 {
		return d
	}
	info := append([]byte{0x80}, blocks[1:38]...)
	v := at64(info, 14)
	d.sampleRate, d.channels = int(v>>44), int(v>>41&7)+1
	bitsPer := int(v>>36&31) + 1
	if a, b := at16(info, 4), at16(info, 6); a == b {
		d.frameSamples = int(a)
	}
	d.config = append([]byte("fLaC"), info...)
	// The FLAC in ISOBMFF mapping wants STREAMINFO's sample size, and 0 for rates that 16 bits do not hold.
	d.entry = audioEntry("fLaC", d.channels, bitsPer, d.sampleRate, fullBox("dfLa", 0, 0, info))
	return d
}

// opusTrack describes Opus by its OpusHead (RFC 7845, 5.1).
func opusTrack(head []byte) described {
	d := described{codec: "opus", codecString: "opus", sampleRate: 48000}
	if len(head) < 19 || string(head[:8]) != "OpusHead" {
		return d
	}
	d.channels, d.config = int(head[9]), head
	le := binary.LittleEndian
	dops := [][]byte{u8(0, head[9]), u16(le.Uint16(head[10:])), u32(le.Uint32(head[12:])), u16(le.Uint16(head[16:])), u8(head[18])}
	if head[18] != 0 {
		if len(head) < 21+int(head[9]) {
			return d
		}
		dops = append(dops, head[19:21+int(head[9])])
	}
	d.entry = audioEntry("Opus", d.channels, 16, 48000, box("dOps", dops...))
	return d
}

// opusHead is the reverse: RFC 7845's header of a dOps.
func opusHead(dops []byte) []byte {
	if len(dops) < 11 {
		return nil
	}
	le := binary.LittleEndian
	h := append([]byte("OpusHead\x01"), dops[1])
	h = le.AppendUint16(h, at16(dops, 2))
	h = le.AppendUint32(h, at32(dops, 4))
	h = le.AppendUint16(h, at16(dops, 8))
	h = append(h, dops[10])
	if dops[10] != 0 {
		if len(dops) < 13+int(dops[1]) {
			return nil
		}
		h = append(h, dops[11:13+int(dops[1])]...)
	}
	return h
}

// truehdTrack describes Dolby TrueHD by an access unit with a major sync.
func truehdTrack(unit []byte) described {
	d := described{codec: "truehd"}
	if len(unit) < 12 || at32(unit, 4)&0xfffffffe != 0xf8726fba {
		return d
	}
	if unit[7]&1 == 1 {
		d.codec = "mlp"
		return d
	}
	if i := unit[8] >> 4; i&7 < 3 {
		d.sampleRate = map[byte]int{0: 48000, 8: 44100}[i&8] << (i & 7)
		d.frameSamples = 40 << (i & 7)
	}
	layout := at32(unit, 8)
	counts := []int{2, 1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 1, 1}
	groups := layout & 0x1fff
	if groups == 0 {
		groups = layout >> 15 & 0x1f
	}
	for i, n := range counts {
		if groups>>i&1 == 1 {
			d.channels += n
		}
	}
	return d
}
