package cmaf

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/media"
)

func indexMatroska(ctx context.Context, in media.Input, target float64) (domain.Media, *index, error) {
	f, err := readMatroska(ctx, in)
	if err != nil {
		return domain.Media{}, nil, err
	}
	x := &index{matroska: true, fileSize: in.Size, video: -1, scale: f.scale, to: f.end, from: f.cluster}
	for i, t := range f.tracks {
		if t.kind == 1 && x.video < 0 && !(strings.HasPrefix(t.codecID, "V_MJPEG") && len(f.tracks) > 1 && t.frameNs == 0) {
			x.video = i
		}
	}
	if x.video < 0 {
		return domain.Media{}, nil, noVideo()
	}
	if f.cluster < 0 {
		return domain.Media{}, nil, truncated("it holds no clusters")
	}
	// 1e9/scale is whole for every writer in use (a tick is 1 ms, 0.1 ms, 1 µs or 1 ns); others are written in microseconds.
	x.gridScale = 1e6
	if 1e9%f.scale == 0 {
		x.gridScale = uint32(1e9 / f.scale)
	}
	if err := f.firstPackets(x.from); err != nil {
		return domain.Media{}, nil, err
	}
	x.origin = math.MaxInt64
	for _, t := range f.tracks {
		if t.seen > 0 && (t.kind == 1 || t.kind == 2) {
			x.origin = min(x.origin, t.firstNs/f.scale)
		}
	}
	if x.origin == math.MaxInt64 {
		x.origin = 0
	}
	for _, t := range f.tracks {
		t.described = t.describe()
		x.tracks = append(x.tracks, t.indexed(x))
	}
	m := domain.Media{Container: f.docType, Chapters: f.chapters}
	if err := f.findKeys(ctx, in, x); err != nil {
		return m, nil, err
	}
	f.layGrid(x, &m, target)
	if len(x.starts) > maxSegments {
		return m, nil, tooManySegments()
	}
	if err := f.probeSegments(ctx, in, x, &m); err != nil {
		return m, nil, err
	}
	for i := range f.tracks {
		f.tell(&m, x, i)
	}
	for i, codec := range f.covers {
		if codec != "" {
			m.Video = append(m.Video, domain.Video{Index: len(f.tracks) + i, Codec: codec, AttachedPicture: true})
		}
	}
	closeFacts(&m, x)
	m.Indexed = x.tracks[x.video].entry != nil
	return m, x, nil
}

// firstPackets reads from the first cluster on until each picture and sound track has shown a packet, for five seconds at most.
func (f *mkvFile) firstPackets(from int64) error {
	missing := 0
	for _, t := range f.tracks {
		if t.kind == 1 || t.kind == 2 {
			missing++
		}
	}
	first := int64(-1)
	err := walkBlocks(f.w, from, f.end, func(b *block) error {
		if first < 0 {
			first = b.ticks
		}
		if missing == 0 || (b.ticks-first)*f.scale > 5e9 {
			return errStop
		}
		t := f.track(b.number)
		if t == nil || t.kind != 1 && t.kind != 2 || t.seen > 0 {
			return nil
		}
		t.seen++
		missing--
		t.firstNs = b.ticks * f.scale
		frames, err := b.frames(f.w)
		if err != nil {
			return err
		}
		head, err := f.w.upTo(frames[0].offset, int(min(frames[0].size, 64<<10)))
		if err != nil {
			return err
		}
		t.firstPacket = slices.Concat(t.strip, head)
		return nil
	})
	return err
}

// findKeys takes the keyframes of the first picture track from the Cues where they hold what they promise, else from a walk.
func (f *mkvFile) findKeys(ctx context.Context, in media.Input, x *index) error {
	number := f.tracks[x.video].number
	for _, c := range f.cues {
		if c.track == number {
			x.keys = append(x.keys, c.key)
		}
	}
	slices.SortStableFunc(x.keys, func(a, b key) int { return cmp.Compare(a.time, b.time) })
	kept := x.keys[:0]
	for _, k := range x.keys {
		if n := len(kept); n == 0 || k.time > kept[n-1].time && k.pos >= kept[n-1].pos {
			kept = append(kept, k)
		}
	}
	x.keys = kept
	x.duration = f.duration*float64(f.scale)/1e9 - float64(x.origin*f.scale)/1e9
	if x.duration > 0 && len(x.keys) > 0 && x.duration/float64(len(x.keys)) <= sparseCues {
		whole := true
		for _, i := range []int{0, len(x.keys) / 2, len(x.keys) - 1} {
			whole = whole && f.keyHolds(x.keys[i], number)
		}
		if whole {
			return nil
		}
	}
	return f.walkKeys(ctx, in, x)
}

// sparseCues is the mean distance of Cues, in seconds, from which on they are not believed to name all keyframes.
const sparseCues = 20

// keyHolds tells whether the cluster that a cue names holds the keyframe.
func (f *mkvFile) keyHolds(k key, number uint64) bool {
	if id, _, _, err := f.element(k.pos); err != nil || id != idCluster {
		return false
	}
	found := false
	err := walkBlocks(f.w, k.pos, f.end, func(b *block) error {
		found = b.number == number && b.key && b.ticks == k.time
		if found || b.cluster != k.pos {
			return errStop
		}
		return nil
	})
	return err == nil && found
}

// walkKeys reads all block headers of the file.
func (f *mkvFile) walkKeys(ctx context.Context, in media.Input, x *index) error {
	x.keys = nil
	video := f.tracks[x.video]
	end := int64(0)
	err := walkBlocks(newWindow(ctx, in.Reader, in.Size, walkWindow), x.from, f.end, func(b *block) error {
		t := f.track(b.number)
		if t == nil || t.kind != 1 && t.kind != 2 {
			return nil
		}
		dur := t.frameNs / f.scale
		if b.dur >= 0 {
			dur = b.dur
		}
		end = max(end, b.ticks+dur)
		t.lastNs = (b.ticks + dur) * f.scale
		if t == video && (b.key || len(x.keys) == 0) {
			if n := len(x.keys); n == 0 || b.ticks > x.keys[n-1].time {
				x.keys = append(x.keys, key{b.ticks, b.cluster})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(x.keys) == 0 {
		return noVideo()
	}
	x.duration = max(x.duration, float64((end-x.origin)*f.scale)/1e9)
	return nil
}

func (f *mkvFile) layGrid(x *index, m *domain.Media, target float64) {
	c := cutter{target: int64(math.Ceil(target * float64(x.gridScale)))}
	var last, longest int64
	for i, k := range x.keys {
		at := x.tick(k.time * x.scale)
		if c.keyframe(at) {
			x.segmentKey = append(x.segmentKey, i)
		}
		if i > 0 {
			longest = max(longest, at-last)
		}
		last = at
	}
	longest = max(longest, int64(min(x.duration*float64(x.gridScale), maxTicks))-last)
	x.starts = c.starts
	m.KeyframeCount, m.KeyframeInterval = len(x.keys), float64(longest)/float64(x.gridScale)
}

// probeSegments looks at the packets of the first, the middle and the last but one segment: how far pictures are reordered,
// which makes the edit list; whether GOPs are open; and how many frames a second there are.
func (f *mkvFile) probeSegments(ctx context.Context, in media.Input, x *index, m *domain.Media) error {
	t, src := &x.tracks[x.video], f.tracks[x.video]
	segments := mkvSegments{x, newWindow(ctx, in.Reader, in.Size, peekWindow)}
	frames, ticks := 0, int64(0)
	looked := map[int]bool{}
	for _, n := range []int{0, len(x.starts) / 2, len(x.starts) - 2} {
		if n < 0 || looked[n] {
			continue
		}
		looked[n] = true
		packets, err := segments.video(n)
		if err != nil {
			return err
		}
		samples := x.timeVideo(t, n, packets)
		var key *packet
		earliest := int64(math.MaxInt64)
		for i := range samples {
			p, s := &packets[i], &samples[i]
			t.edit = max(t.edit, s.dts-p.time)
			frames, ticks = frames+1, ticks+int64(s.dur)
			if p.key {
				key = p
			} else if key != nil && p.time < key.time && !m.OpenGOP && (n > 0 || key != &packets[0]) {
				b, err := f.w.upTo(key.offset, int(min(key.size, 64<<10)))
				if err != nil {
					return err
				}
				idr, known := isIDR(t.codec, slices.Concat(t.strip, b), src.described.nalLength)
				m.OpenGOP = known && !idr
			}
			earliest = min(earliest, p.time)
		}
		t.edit = max(t.edit, 0)
	}
	if src.frameNs == 0 && ticks > 0 {
		src.frameNs = int64(float64(ticks) / float64(x.gridScale) / float64(frames) * 1e9)
	}
	return nil
}

// indexed copies what the index keeps.
func (t *mkvTrack) indexed(x *index) track {
	d := t.described
	r := track{kind: kindOther, codec: d.codec, timescale: x.gridScale, language: languageT(t.languageB()), entry: d.entry, config: d.config,
		sampleRate: d.sampleRate, channels: d.channels, number: t.number, strip: t.strip, zlib: t.zlib, frameNs: t.frameNs}
	switch t.kind {
	case 1:
		r.kind = kindVideo
		w, h := t.width, t.height
		if t.unit == 0 && t.dispWidth > 0 && t.dispHeight > 0 && t.dispWidth < 1<<16 && t.dispHeight < 1<<16 {
			w, h = t.dispWidth, t.dispHeight
		}
		r.width, r.height = uint32(w)<<16, uint32(h)<<16
		r.matrix = turned(t.rotation)
	case 2:
		r.kind = kindAudio
		if d.frameSamples > 0 && d.sampleRate > 0 {
			r.frameNs = int64(d.frameSamples) * 1e9 / int64(d.sampleRate)
		}
		r.edit = (t.delayNs + x.tickNs()/2) / x.tickNs()
	case 17:
		r.kind = kindText
	case 33:
		if d.codec == "webvtt" {
			r.kind = kindText
		}
	}
	if t.opaque || t.zlib {
		r.entry = nil
		if t.opaque {
			r.codec = "encrypted"
		}
	}
	return r
}

// turned is the matrix of a clockwise rotation by a right angle, nil for none.
func turned(degrees int) []byte {
	one, minus := uint32(1<<16), uint32(0xffff0000)
	var a, b, c, d uint32
	switch degrees {
	case 90:
		b, c = one, minus
	case 180:
		a, d = minus, minus
	case 270:
		b, c = minus, one
	default:
		return nil
	}
	return slices.Concat(u32(a), u32(b), u32(0), u32(c), u32(d), u32(0), u32(0), u32(0), u32(1<<30))
}

func (t *mkvTrack) describe() described {
	switch t.kind {
	case 1:
		return t.describeVideo()
	case 2:
		return t.describeAudio()
	}
	config := t.private
	if strings.HasPrefix(t.codecID, webmText) {
		config = []byte(webmText)
	}
	return described{config: config, codec: map[string]string{"S_TEXT/UTF8": "subrip", "S_TEXT/ASCII": "subrip", "S_TEXT/ASS": "ass", "S_ASS": "ass", "S_TEXT/SSA": "ssa",
		"S_SSA": "ssa", "S_TEXT/WEBVTT": "webvtt", "D_WEBVTT/SUBTITLES": "webvtt", "D_WEBVTT/CAPTIONS": "webvtt", "S_VOBSUB": "dvd_subtitle", "S_HDMV/PGS": "hdmv_pgs_subtitle",
		"S_DVBSUB": "dvb_subtitle", "S_HDMV/TEXTST": "hdmv_text_subtitle", "S_ARIBSUB": "arib_caption"}[t.codecID]}
}

func (t *mkvTrack) describeVideo() described {
	var d described
	var kind string
	var config []byte
	switch id := t.codecID; {
	case id == "V_MPEG4/ISO/AVC":
		d = avcTrack(t.private)
		if d.nalLength > 0 {
			kind, config = "avc1", box("avcC", t.private)
		}
	case id == "V_MPEGH/ISO/HEVC":
		d = hevcTrack(t.private)
		if full := completeHEVC(t.private, t.firstPacket); full != nil {
			kind, config = "hvc1", box("hvcC", full)
		}
		if d.nalLength > 0 && hasHDR10Plus(t.firstPacket, d.nalLength) {
			d.hdr = "hdr10plus"
		}
	case id == "V_AV1":
		d = av1Track(t.private)
		if d.config != nil {
			kind, config = "av01", box("av1C", t.private)
		}
	case id == "V_VP9":
		rate := 30.0
		if t.frameNs > 0 {
			rate = 1e9 / float64(t.frameNs)
		}
		c := [4]byte{byte(t.colour[0]), byte(t.colour[1]), byte(t.colour[2]), byte(t.colour[3])}
		d = vp9Track(vp9Config(t.private, t.firstPacket, t.width, t.height, rate, c))
		kind, config = "vp09", fullBox("vpcC", 1, 0, d.config)
	case id == "V_MS/VFW/FOURCC" && len(t.private) >= 20:
		fourcc := strings.ToUpper(string(t.private[16:20]))
		d.codec = map[string]string{"H264": "h264", "AVC1": "h264", "X264": "h264", "XVID": "mpeg4", "DIVX": "mpeg4", "DX50": "mpeg4", "FMP4": "mpeg4", "MP4V": "mpeg4",
			"DIV3": "msmpeg4v3", "MP43": "msmpeg4v3", "WVC1": "vc1", "WMV3": "wmv3", "WMV2": "wmv2", "MJPG": "mjpeg", "HEVC": "hevc", "FFV1": "ffv1"}[fourcc]
	default:
		d.codec = map[string]string{"V_VP8": "vp8", "V_MPEG1": "mpeg1video", "V_MPEG2": "mpeg2video", "V_MPEG4/ISO/SP": "mpeg4", "V_MPEG4/ISO/ASP": "mpeg4", "V_MPEG4/ISO/AP": "mpeg4",
			"V_MPEG4/MS/V3": "msmpeg4v3", "V_THEORA": "theora", "V_PRORES": "prores", "V_FFV1": "ffv1", "V_MJPEG": "mjpeg", "V_AVS2": "avs2", "V_AVS3": "avs3", "V_MPEGI/ISO/VVC": "vvc"}[id]
	}
	if d.codec == "" {
		d.codec = strings.ToLower(strings.TrimPrefix(t.codecID, "V_"))
	}
	d.width, d.height = t.width, t.height
	if d.bitDepth == 0 {
		d.bitDepth = 8
	}
	if t.colour[1] > 2 {
		d.transfer = t.colour[1]
	}
	if d.hdr == "" {
		d.hdr = hdrOf(d.transfer)
	}
	if t.dovi != nil {
		d.hdr = "dolbyvision"
	}
	if config != nil {
		d.entry = visualEntry(kind, t.width, t.height, append([][]byte{config}, t.extras()...)...)
	}
	return d
}

// extras are the boxes for what Matroska says about colour, aspect and mastering.
func (t *mkvTrack) extras() [][]byte {
	var extras [][]byte
	if t.unit == 0 && t.dispWidth > 0 && t.dispHeight > 0 && int64(t.dispWidth)*int64(t.height) != int64(t.dispHeight)*int64(t.width) {
		h, v := int64(t.dispWidth)*int64(t.height), int64(t.dispHeight)*int64(t.width)
		a, b := h, v
		for b > 0 {
			a, b = b, a%b
		}
		if a > 0 && h/a < 1<<32 && v/a < 1<<32 {
			extras = append(extras, box("pasp", u32(uint32(h/a)), u32(uint32(v/a))))
		}
	}
	if t.hasColour && (t.colour[0] != 2 || t.colour[1] != 2 || t.colour[2] != 2) {
		extras = append(extras, box("colr", []byte("nclx"), u16(uint16(t.colour[0])), u16(uint16(t.colour[1])), u16(uint16(t.colour[2])), u8(byte(t.colour[3]<<7))))
	}
	if v := t.masteringValues; t.mastering && v[8] > 0 { // red, green, blue, white; luminance. The box has green, blue, red (CTA-861.3)
		var b []byte
		for _, i := range []int{2, 3, 4, 5, 0, 1, 6, 7} {
			b = be.AppendUint16(b, uint16(math.Round(min(max(v[i], 0), 1)*50000)))
		}
		b = be.AppendUint32(b, uint32(min(v[8], 4e5)*10000))
		b = be.AppendUint32(b, uint32(min(max(v[9], 0), 4e5)*10000))
		extras = append(extras, box("mdcv", b))
	}
	if t.maxCLL > 0 {
		extras = append(extras, box("clli", u16(uint16(t.maxCLL)), u16(uint16(t.maxFALL))))
	}
	if t.dovi != nil {
		extras = append(extras, t.dovi)
	}
	return extras
}

func (t *mkvTrack) describeAudio() described {
	rate := t.rate
	if t.outputRate > rate {
		rate = t.outputRate
	}
	rate = min(max(rate, 0), 1<<20)
	channels := min(t.channels, 255)
	var d described
	switch id := t.codecID; {
	case strings.HasPrefix(id, "A_AAC"):
		config := t.private
		if len(config) < 2 {
			config = oldAACConfig(id, int(t.rate), int(rate), channels)
		}
		d = aacTrack(config, channels)
	case strings.HasPrefix(id, "A_AC3"):
		d = ac3Track(t.firstPacket)
	case id == "A_EAC3":
		d = eac3Track(t.firstPacket)
	case strings.HasPrefix(id, "A_DTS"):
		d = dtsTrack(t.firstPacket)
	case id == "A_TRUEHD", id == "A_MLP":
		d = truehdTrack(t.firstPacket)
	case id == "A_FLAC":
		d = flacTrack(bytes.TrimPrefix(t.private, []byte("fLaC")))
	case id == "A_OPUS":
		d = opusTrack(t.private)
	case id == "A_VORBIS":
		d = described{codec: "vorbis", codecString: "vorbis", config: vorbisHeaders(t.private)}
	case id == "A_MPEG/L3", id == "A_MPEG/L2", id == "A_MPEG/L1":
		d = mp3Track(t.firstPacket, channels, int(rate))
	case strings.HasPrefix(id, "A_PCM/"):
		end := map[string]string{"A_PCM/INT/LIT": "s%le", "A_PCM/INT/BIG": "s%be", "A_PCM/FLOAT/IEEE": "f%le"}[id]
		if t.bitDepth == 8 {
			end = "u8"
		}
		d.codec = "pcm_" + strings.Replace(end, "%", map[int]string{16: "16", 24: "24", 32: "32", 64: "64"}[t.bitDepth], 1)
	case id == "A_MS/ACM" && len(t.private) >= 16:
		format := binary.LittleEndian.Uint16(t.private)
		switch format {
		case 0x55, 0x50:
			d = mp3Track(t.firstPacket, channels, int(rate))
		case 0x2000:
			d = ac3Track(t.firstPacket)
		case 0x2001:
			d = dtsTrack(t.firstPacket)
		case 1:
			d.codec = map[uint16]string{8: "pcm_u8", 16: "pcm_s16le", 24: "pcm_s24le", 32: "pcm_s32le"}[binary.LittleEndian.Uint16(t.private[14:])]
		case 0x161:
			d.codec = "wmav2"
		case 0xff:
			if len(t.private) > 18 {
				d = aacTrack(t.private[18:], channels)
			}
		}
	default:
		d.codec = map[string]string{"A_ALAC": "alac", "A_WAVPACK4": "wavpack", "A_TTA1": "tta", "A_REAL/COOK": "cook"}[id]
	}
	if d.codec == "" {
		d.codec = strings.ToLower(strings.TrimPrefix(t.codecID, "A_"))
	}
	if d.channels == 0 {
		d.channels = channels
	}
	if d.sampleRate == 0 {
		d.sampleRate = int(rate)
	}
	return d
}

// oldAACConfig makes the configuration that codec ids of the first years imply ("A_AAC/MPEG4/LC/SBR").
func oldAACConfig(id string, core, rate, channels int) []byte {
	object := uint16(2)
	switch {
	case strings.Contains(id, "/MAIN"):
		object = 1
	case strings.Contains(id, "/SSR"):
		object = 3
	case strings.Contains(id, "/LTP"):
		object = 4
	}
	i := slices.Index(aacRates[:], core)
	if i < 0 || channels < 1 || channels > 8 {
		return nil
	}
	if channels == 8 {
		channels = 7
	}
	return u16(object<<11 | uint16(i)<<7 | uint16(channels)<<3)
}

// vorbisHeaders takes the three headers out of Xiph-laced codec private data; they come back each behind its 32-bit size.
func vorbisHeaders(private []byte) []byte {
	b := block{off: 0, size: int64(len(private)), lacing: 1}
	if len(private) < 3 || private[0] != 2 {
		return nil
	}
	frames, err := b.frames(newWindow(context.Background(), bytes.NewReader(private), int64(len(private)), walkWindow))
	if err != nil || len(frames) != 3 {
		return nil
	}
	var out []byte
	for _, f := range frames {
		out = be.AppendUint32(out, uint32(f.size))
		out = append(out, private[f.offset:f.offset+f.size]...)
	}
	return out
}

// tell adds the track's facts.
func (f *mkvFile) tell(m *domain.Media, x *index, i int) {
	t, d := f.tracks[i], f.tracks[i].described
	name := strings.ToLower(t.name)
	switch x.tracks[i].kind {
	case kindVideo:
		v := domain.Video{Index: i, Codec: d.codec, Profile: d.profile, Level: d.level, CodecString: d.codecString, Width: t.width, Height: t.height, BitDepth: d.bitDepth, HDR: d.hdr,
			Rotation: t.rotation, Language: t.languageB(), Default: t.isDefault, AttachedPicture: i != x.video && d.codec == "mjpeg"}
		if t.frameNs > 0 {
			v.FrameRate = math.Round(1e12/float64(t.frameNs)) / 1000
		}
		m.Video = append(m.Video, v)
	case kindAudio:
		a := domain.Audio{Index: i, Codec: d.codec, CodecString: d.codecString, Profile: d.profile, Channels: d.channels, SampleRate: d.sampleRate, Language: t.languageB(), Title: t.name,
			Default: t.isDefault, Forced: t.forced, Commentary: t.commentary || strings.Contains(name, "commentary"), Duration: x.duration}
		if t.lastNs > 0 {
			a.Duration = float64(t.lastNs-x.origin*x.scale) / 1e9
		}
		m.Audio = append(m.Audio, a)
	case kindText:
		m.Subtitles = append(m.Subtitles, domain.Subtitle{Index: i, Codec: d.codec, Language: t.languageB(), Title: t.name, Default: t.isDefault, Forced: t.forced || strings.Contains(name, "forced"),
			HearingImpaired: t.hearing || strings.Contains(name, "sdh") || strings.Contains(name, "hearing impaired"),
			Text:            slices.Contains([]string{"subrip", "ass", "ssa", "webvtt"}, d.codec)})
	}
}
