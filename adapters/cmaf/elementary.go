package cmaf

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// maxPacket bounds one packet of sound or text.
const maxPacket = 16 << 20

// Elementary implements media.Packager. TrueHD begins at its first major sync, which Stretch.Start then names; everything else begins
// with the first packet presented at from or later. Ogg is written with a pre-skip of 0, so that the first decoded sample is the one at Start.
func (p *Packager) Elementary(ctx context.Context, in media.Input, data []byte, number int, from, to float64, w io.Writer) (media.Stretch, error) {
	x, t, err := indexed(in, data, number)
	if err != nil {
		return media.Stretch{}, err
	}
	stream, err := newStream(t, w)
	if err != nil {
		return media.Stretch{}, err
	}
	samples, payload, err := x.stretch(ctx, in, number, from, to)
	if err != nil {
		return media.Stretch{}, err
	}
	s := media.Stretch{Format: stream.format, Start: from, SampleRate: t.sampleRate, Channels: t.channels}
	read := newWindow(ctx, in.Reader, in.Size, 256<<10)
	var packet []byte
	first := 0
	var lengths []int
	for i, e := range payload {
		if e.size > maxPacket {
			return s, damaged("a sound packet of %d bytes", e.size)
		}
		b, err := read.bytes(e.offset, int(e.size))
		if err != nil {
			return s, err
		}
		packet = append(append(packet[:0], e.prefix...), b...)
		if s.Packets == 0 {
			if t.codec == "truehd" && (len(packet) < 8 || at32(packet, 4)&0xfffffffe != 0xf8726fba) {
				continue
			}
			first, s.Start = i, t.heard(&samples[i])
			if err := writeAll(w, stream.header); err != nil {
				return s, err
			}
		}
		length := t.packetSamples(int64(len(packet)), packet, samples[i].dur)
		if err := stream.write(packet, length); err != nil {
			return s, err
		}
		s.Packets++
		lengths = append(lengths, length)
	}
	if x.matroska && s.Packets > 0 {
		s.Start, err = x.soundStart(ctx, in, number, samples[first:], lengths)
	}
	return s, err
}

// stretch returns the packets of a track presented in [from, to) seconds.
func (x *index) stretch(ctx context.Context, in media.Input, number int, from, to float64) ([]sample, []extent, error) {
	t := &x.tracks[number]
	first, last := ticksFrom(from, t.timescale), ticksFrom(to, t.timescale)
	var samples []sample
	var payload []extent
	if !x.matroska {
		for n := range x.starts {
			if n+1 < len(x.starts) && float64(x.starts[n+1])/float64(x.gridScale) <= from-1 || float64(x.starts[n])/float64(x.gridScale) > to+1 {
				continue
			}
			s, e, err := x.segment(ctx, in, number, n)
			if err != nil {
				return nil, nil, err
			}
			for i := range s {
				if at := s[i].dts + int64(s[i].cto) - t.edit; at >= first && at < last {
					samples, payload = append(samples, s[i]), append(payload, e[i])
				}
			}
		}
		return samples, payload, nil
	}
	samples, payload, _, err := x.mkvStretch(ctx, in, number, from, to)
	return samples, payload, err
}

// mkvStretch is stretch for Matroska, with the time of the packet that follows, -1 for none.
func (x *index) mkvStretch(ctx context.Context, in media.Input, number int, from, to float64) (samples []sample, payload []extent, next int64, err error) {
	t := &x.tracks[number]
	m := mkvSegments{x, newWindow(ctx, in.Reader, in.Size, peekWindow)}
	packets, next, err := m.timed(t, ticksFrom(from, t.timescale), ticksFrom(to, t.timescale))
	for _, p := range packets {
		payload = append(payload, p.extent)
	}
	return x.timeOther(t, packets, next), payload, next, err
}

// ticksFrom is the first tick not before a time; a millionth of a tick forgives what float64 adds.
func ticksFrom(seconds float64, timescale uint32) int64 {
	v := math.Ceil(seconds*float64(timescale) - 1e-6)
	switch {
	case math.IsNaN(v), v < -1<<53:
		return math.MinInt64
	case v > 1<<53:
		return math.MaxInt64
	}
	return int64(v)
}

// stream writes packets in the form that a decoder takes from a pipe.
type stream struct {
	format string
	header []byte
	write  func(packet []byte, samples int) error
}

func newStream(t *track, w io.Writer) (stream, error) {
	refuse := func() (stream, error) {
		return stream{}, noSegment("Sound of the codec %q has no elementary stream.", t.codec)
	}
	raw := func(packet []byte, _ int) error { return writeAll(w, packet) }
	if t.kind != kindAudio || t.zlib {
		return refuse()
	}
	switch t.codec {
	case "ac3", "eac3", "dts", "truehd", "mlp", "mp3":
		return stream{format: t.codec, write: raw}, nil
	case "mp1", "mp2":
		return stream{format: "mp3", write: raw}, nil
	case "flac":
		if t.config == nil {
			return refuse()
		}
		return stream{format: "flac", header: t.config, write: raw}, nil
	case "aac":
		c, ok := parseAAC(t.config)
		rate := slices.Index(aacRates[:13], c.coreRate)
		if !ok || c.core < 1 || c.core > 4 || rate < 0 || c.chanConfig == 0 || c.chanConfig > 7 {
			return refuse()
		}
		return stream{format: "aac", write: func(packet []byte, _ int) error {
			if len(packet)+7 >= 1<<13 {
				return damaged("an AAC packet of %d bytes", len(packet))
			}
			if err := writeAll(w, adtsHeader(c.core, rate, c.chanConfig, len(packet))); err != nil {
				return err
			}
			return writeAll(w, packet)
		}}, nil
	case "opus", "vorbis":
		ogg := &oggWriter{w: w}
		if t.codec == "opus" {
			if len(t.config) < 19 {
				return refuse()
			}
			head := slices.Clone(t.config)
			binary.LittleEndian.PutUint16(head[10:], 0)
			ogg.headers = [][]byte{head, []byte("OpusTags\x00\x00\x00\x00\x00\x00\x00\x00")}
		} else {
			for b := t.config; len(b) >= 4 && int(at32(b, 0)) <= len(b)-4; b = b[4+at32(b, 0):] {
				ogg.headers = append(ogg.headers, b[4:4+at32(b, 0)])
			}
			if len(ogg.headers) != 3 {
				return refuse()
			}
		}
		return stream{format: "ogg", write: func(packet []byte, samples int) error {
			ogg.granule += int64(samples)
			return ogg.packet(packet)
		}}, nil
	}
	if pcmBytes(t.codec) > 0 {
		return stream{format: strings.TrimPrefix(t.codec, "pcm_"), write: raw}, nil
	}
	return refuse()
}

// adtsHeader is the fixed and variable header of a frame without checksum (ISO/IEC 13818-7, 6.2).
func adtsHeader(object, rate, channels, payload int) []byte {
	n := payload + 7
	return []byte{0xff, 0xf1, byte((object-1)<<6 | rate<<2 | channels>>2), byte(channels&3<<6 | n>>11), byte(n >> 3), byte(n&7<<5 | 0x1f), 0xfc}
}

// opusSamples is the length of a packet at 48 kHz (RFC 6716, 3.1).
func opusSamples(packet []byte) int64 {
	if len(packet) == 0 {
		return 0
	}
	config := packet[0] >> 3
	var size int64
	switch {
	case config < 12:
		size = []int64{480, 960, 1920, 2880}[config&3]
	case config < 16:
		size = []int64{480, 960}[config&1]
	default:
		size = []int64{120, 240, 480, 960}[config&3]
	}
	switch packet[0] & 3 {
	case 0:
		return size
	case 3:
		if len(packet) < 2 {
			return 0
		}
		return size * int64(packet[1]&63)
	}
	return 2 * size
}

// oggWriter writes one logical stream, a packet a page (RFC 3533).
type oggWriter struct {
	w        io.Writer
	headers  [][]byte
	granule  int64
	sequence uint32
	began    bool
}

func (o *oggWriter) packet(b []byte) error {
	if !o.began {
		o.began = true
		granule := o.granule
		o.granule = 0
		for _, h := range o.headers {
			if err := o.page(h); err != nil {
				return err
			}
		}
		o.granule = granule
	}
	return o.page(b)
}

func (o *oggWriter) page(b []byte) error {
	le := binary.LittleEndian
	for continued := byte(0); ; continued = 1 {
		part := b[:min(len(b), 255*255)]
		complete := len(part) < 255*255
		flags := continued
		if o.sequence == 0 {
			flags |= 2
		}
		p := append([]byte("OggS\x00"), flags)
		granule := o.granule
		if !complete {
			granule = -1
		}
		p = le.AppendUint64(p, uint64(granule))
		p = le.AppendUint32(p, 1)
		p = le.AppendUint32(p, o.sequence)
		p = append(p, 0, 0, 0, 0)
		laces := len(part) / 255
		if complete {
			p = append(p, byte(laces+1))
			p = append(p, slices.Repeat([]byte{255}, laces)...)
			p = append(p, byte(len(part)%255))
		} else {
			p = append(p, 255)
			p = append(p, slices.Repeat([]byte{255}, 255)...)
		}
		p = append(p, part...)
		le.PutUint32(p[22:], oggChecksum(p))
		o.sequence++
		if err := writeAll(o.w, p); err != nil {
			return err
		}
		if b = b[len(part):]; complete {
			return nil
		}
	}
}

var oggTable = func() (t [256]uint32) {
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			if r&0x80000000 != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		t[i] = r
	}
	return t
}()

func oggChecksum(b []byte) (crc uint32) {
	for _, c := range b {
		crc = crc<<8 ^ oggTable[byte(crc>>24)^c]
	}
	return crc
}

// PackageAAC implements media.Packager. Packets of anything but AAC-LC at the stated rate and channels are refused.
func (p *Packager) PackageAAC(format media.AACFormat, adts []byte, firstPacket int64, sequence int, w io.Writer) error {
	rate := slices.Index(aacRates[:13], format.SampleRate)
	channels := format.Channels
	if channels == 8 {
		channels = 7
	}
	if rate < 0 || format.Channels < 1 || format.Channels > 8 || format.Channels == 7 || firstPacket < 0 || sequence < 0 {
		return fault.New(fault.Invalid, "media.bad_aac_format", "AAC with %d channels at %d Hz from packet %d cannot be packaged.", format.Channels, format.SampleRate, firstPacket)
	}
	if adts == nil {
		t := aacTrack(u16(uint16(2<<11|rate<<7|channels<<3)), format.Channels)
		return writeAll(w, initSegment(&track{kind: kindAudio, timescale: uint32(format.SampleRate), language: languageT(languageB(format.Language)), entry: t.entry}))
	}
	var samples []sample
	var payload []byte
	at := firstPacket * 1024
	for len(adts) > 0 {
		if len(adts) < 7 || at16(adts, 0)&0xfff6 != 0xfff0 {
			return damaged("no ADTS frame where one should be")
		}
		header, size := 7, int(adts[3]&3)<<11|int(adts[4])<<3|int(adts[5])>>5
		if adts[1]&1 == 0 {
			header = 9
		}
		if size < header || size > len(adts) {
			return damaged("an ADTS frame of %d bytes", size)
		}
		if int(adts[2]>>6) != 1 || int(adts[2]>>2&15) != rate || int(adts[2]&1)<<2|int(adts[3]>>6) != channels || adts[6]&3 != 0 {
			return damaged("an ADTS frame of another format")
		}
		samples = append(samples, sample{size: uint32(size - header), dts: at, dur: 1024, sync: true})
		payload = append(payload, adts[header:size]...)
		at, adts = at+1024, adts[size:]
	}
	if err := writeFragment(w, sequence, firstPacket*1024, samples); err != nil {
		return err
	}
	return writeAll(w, payload)
}
