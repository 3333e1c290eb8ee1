package cmaf

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// videoExtras are the boxes of a picture's sample entry that travel on: colour, aspect, mastering, Dolby Vision.
var videoExtras = []string{"colr", "pasp", "clap", "mdcv", "clli", "SmDm", "CoLL", "dvcC", "dvvC", "dvwC", "hvcE"}

// describe reads the sample entry; packet returns the beginning of the track's first sample for codecs that need it.
func (t *mp4Track) describe(packet func() []byte) described {
	switch t.handler {
	case "vide":
		return t.describeVideo(packet)
	case "soun":
		return t.describeAudio(packet)
	}
	d := described{codec: map[string]string{"tx3g": "mov_text", "text": "mov_text", "wvtt": "webvtt", "stpp": "ttml", "c608": "eia_608",
		"dvs1": "dvd_subtitle", "mp4s": "dvd_subtitle"}[t.entryKind]}
	if t.entryKind == "text" && t.handler != "text" && t.handler != "sbtl" {
		d.codec = ""
	}
	return d
}

func (t *mp4Track) describeVideo(packet func() []byte) described {
	b := t.entry
	if len(b) < 78 {
		return described{}
	}
	children, extras, hdr := map[string][]byte{}, [][]byte{}, ""
	_ = eachBox(b[78:], func(kind string, body []byte) error {
		if children[kind] == nil {
			children[kind] = body
		}
		switch {
		case kind == "colr" && len(body) >= 10 && fourCC(body) == "nclc":
			extras = append(extras, box(kind, []byte("nclx"), body[4:10], u8(0)))
		case slices.Contains(videoExtras, kind):
			extras = append(extras, box(kind, body))
		}
		return nil
	})
	width, height := int(at16(b, 24)), int(at16(b, 26))
	var d described
	kind, config := t.entryKind, []byte(nil)
	switch t.entryKind {
	case "avc1", "avc2", "avc3", "avc4", "dva1", "dvav":
		d = avcTrack(children["avcC"])
		if d.nalLength > 0 {
			config = box("avcC", children["avcC"])
		}
		if t.entryKind == "avc2" || t.entryKind == "avc4" {
			kind = "avc1"
		}
		if kind == "avc3" {
			d.codecString = strings.Replace(d.codecString, "avc1", "avc3", 1)
		}
	case "hvc1", "hev1", "dvh1", "dvhe":
		d = hevcTrack(children["hvcC"])
		var first []byte
		if _, hasSPS := hevcSet(children["hvcC"], 33); !hasSPS {
			first = packet()
		}
		if full := completeHEVC(children["hvcC"], first); full != nil {
			config = box("hvcC", full)
		}
		if kind = "hvc1"; t.entryKind == "dvh1" || t.entryKind == "dvhe" {
			kind = "dvh1"
			d.codecString = strings.Replace(d.codecString, "hvc1", "dvh1", 1)
		}
		if d.nalLength > 0 && hasHDR10Plus(packet(), d.nalLength) {
			hdr = "hdr10plus"
		}
	case "av01", "dav1":
		d = av1Track(children["av1C"])
		if d.config != nil {
			config = box("av1C", children["av1C"])
		}
		kind = "av01"
	case "vp09":
		if v := children["vpcC"]; len(v) >= 12 {
			d = vp9Track(v[4:])
			config = box("vpcC", v)
		} else {
			d = vp9Track(vp9Config(nil, packet(), width, height, 30, [4]byte{2, 2, 2, 0}))
			config = fullBox("vpcC", 1, 0, d.config)
		}
	case "mp4v":
		objectType, _ := parseESDS(children["esds"])
		switch {
		case objectType >= 0x60 && objectType <= 0x65:
			d.codec = "mpeg2video"
		case objectType == 0x6a:
			d.codec = "mpeg1video"
		case objectType == 0x6c:
			d.codec = "mjpeg"
		case objectType == 0x6d:
			d.codec = "png"
		default:
			d.codec = "mpeg4"
		}
	default:
		d.codec = map[string]string{"vp08": "vp8", "vc-1": "vc1", "jpeg": "mjpeg", "mjpa": "mjpeg", "png ": "png", "apch": "prores", "apcn": "prores", "apcs": "prores",
			"apco": "prores", "ap4h": "prores", "ap4x": "prores", "s263": "h263", "H263": "h263", "vvc1": "vvc", "vvi1": "vvc", "SVQ3": "svq3", "SVQ1": "svq1",
			"encv": "encrypted", "mp2v": "mpeg2video", "xvid": "mpeg4", "XVID": "mpeg4", "DIVX": "mpeg4", "FFV1": "ffv1"}[t.entryKind]
		if d.codec == "" {
			d.codec = strings.ToLower(strings.TrimSpace(cleanText([]byte(t.entryKind))))
		}
	}
	d.width, d.height = width, height
	if colr := children["colr"]; len(colr) >= 10 && (fourCC(colr) == "nclx" || fourCC(colr) == "nclc") {
		d.transfer = int(at16(colr, 6))
	}
	if d.hdr = hdrOf(d.transfer); hdr != "" {
		d.hdr = hdr
	}
	if children["dvcC"] != nil || children["dvvC"] != nil || children["dvwC"] != nil {
		d.hdr = "dolbyvision"
	}
	if config != nil {
		d.entry = visualEntry(kind, d.width, d.height, append([][]byte{config}, extras...)...)
	}
	return d
}

func hevcSet(hvcC []byte, want byte) (nal []byte, ok bool) {
	eachHEVCSet(hvcC, func(kind byte, n []byte) {
		if kind == want && !ok {
			nal, ok = n, true
		}
	})
	return nal, ok
}

func (t *mp4Track) describeAudio(packet func() []byte) described {
	b := t.entry
	if len(b) < 28 {
		return described{}
	}
	channels, bitsPer, rate, frame, skip := int(at16(b, 16)), int(at16(b, 18)), int(at32(b, 24)>>16), 0, 28
	flags := uint32(0)
	switch at16(b, 8) { // QuickTime's versions of the entry
	case 1:
		frame, skip = int(at32(b, 36)), 44
	case 2:
		if len(b) >= 64 {
			rate, channels, bitsPer, flags, frame = int(math.Float64frombits(at64(b, 32))), int(at32(b, 40)), int(at32(b, 48)), at32(b, 52), int(at32(b, 56))
		}
		skip = 64
	}
	if channels > 255 || channels < 0 || rate < 0 || rate > 1<<20 {
		channels, rate = 0, 0
	}
	children := map[string][]byte{}
	var collect func(b []byte, depth int)
	collect = func(b []byte, depth int) {
		_ = eachBox(b, func(kind string, body []byte) error {
			if children[kind] == nil {
				children[kind] = body
			}
			if kind == "wave" && depth == 0 {
				collect(body, 1)
			}
			return nil
		})
	}
	if skip <= len(b) {
		collect(b[skip:], 0)
	}
	var d described
	// keep copies a codec's own box, which may say more than a frame's header does (Atmos in dec3).
	keep := func(kind, config string, d *described) {
		if c := children[config]; c != nil {
			ch, sr := d.channels, d.sampleRate
			if ch == 0 {
				ch = channels
			}
			if sr == 0 {
				sr = rate
			}
			d.entry, d.channels, d.sampleRate = audioEntry(kind, ch, 16, sr, box(config, c)), ch, sr
		}
	}
	switch t.entryKind {
	case "mp4a":
		objectType, config := parseESDS(children["esds"])
		switch objectType {
		case 0x40, 0x66, 0x67, 0x68:
			d = aacTrack(slices.Clone(config), channels)
		case 0x69, 0x6b:
			d = mp3Track(packet(), channels, rate)
		case 0xa5:
			d = ac3Track(packet())
		case 0xa6:
			d = eac3Track(packet())
		case 0xa9, 0xaa, 0xab, 0xac:
			d = dtsTrack(packet())
		case 0xad:
			d = opusTrack(config)
		case 0xdd:
			d = described{codec: "vorbis", codecString: "vorbis", config: vorbisHeaders(config)}
		default:
			d.codec = "mp4a"
		}
	case ".mp3", "mp3 ", "ms\x00U":
		d = mp3Track(packet(), channels, rate)
	case "ac-3", "sac3":
		d = ac3Track(packet())
		keep("ac-3", "dac3", &d)
	case "ec-3":
		d = eac3Track(packet())
		keep("ec-3", "dec3", &d)
	case "dtsc", "dtsh", "dtsl", "dtse":
		d = dtsTrack(packet())
		d.codecString = t.entryKind
		keep(t.entryKind, "ddts", &d)
	case "fLaC":
		if dfla := children["dfLa"]; len(dfla) > 4 {
			d = flacTrack(dfla[4:])
		} else {
			d.codec = "flac"
		}
	case "Opus":
		d = opusTrack(opusHead(children["dOps"]))
	case "mlpa":
		d = truehdTrack(packet())
	case "alac":
		d.codec = "alac"
	case "enca":
		d.codec = "encrypted"
	default:
		d.codec = pcmCodec(t.entryKind, bitsPer, flags, children)
		if n := pcmBytes(d.codec); n > 0 {
			t.table.frame = uint32(n * max(channels, 1))
			if frame > 0 && frame < 1<<12 {
				t.table.frame = uint32(frame)
			}
		}
		if d.codec == "" {
			d.codec = strings.ToLower(strings.TrimSpace(cleanText([]byte(t.entryKind))))
		}
	}
	if d.channels == 0 {
		d.channels = channels
	}
	if d.sampleRate == 0 {
		d.sampleRate = rate
	}
	return d
}

// pcmCodec names PCM as ffmpeg does; "" for other entries.
func pcmCodec(kind string, bits int, flags uint32, children map[string][]byte) string {
	endian := "be"
	if enda := children["enda"]; at16(enda, 0) == 1 {
		endian = "le"
	}
	integer := func(bits int, endian string) string {
		return map[int]string{8: "pcm_s8", 16: "pcm_s16" + endian, 24: "pcm_s24" + endian, 32: "pcm_s32" + endian}[bits]
	}
	switch kind {
	case "sowt":
		return integer(max(bits, 16), "le")
	case "twos":
		return integer(bits, "be")
	case "raw ":
		return "pcm_u8"
	case "in24":
		return integer(24, endian)
	case "in32":
		return integer(32, endian)
	case "fl32":
		return "pcm_f32" + endian
	case "fl64":
		return "pcm_f64" + endian
	case "lpcm":
		if endian = "le"; flags&2 != 0 {
			endian = "be"
		}
		if flags&1 != 0 {
			return map[int]string{32: "pcm_f32" + endian, 64: "pcm_f64" + endian}[bits]
		}
		return integer(bits, endian)
	case "ipcm", "fpcm":
		pcmC := children["pcmC"]
		if len(pcmC) < 6 {
			return ""
		}
		if endian = "be"; pcmC[4]&1 == 1 {
			endian = "le"
		}
		if kind == "fpcm" {
			return map[int]string{32: "pcm_f32" + endian, 64: "pcm_f64" + endian}[int(pcmC[5])]
		}
		return integer(int(pcmC[5]), endian)
	}
	return ""
}

// pcmBytes is the size of one sample of one channel, 0 for what is no PCM.
func pcmBytes(codec string) int {
	if !strings.HasPrefix(codec, "pcm_") {
		return 0
	}
	switch {
	case strings.Contains(codec, "16"):
		return 2
	case strings.Contains(codec, "24"):
		return 3
	case strings.Contains(codec, "32"):
		return 4
	case strings.Contains(codec, "64"):
		return 8
	}
	return 1
}

// rotation reads clockwise degrees from a track's matrix.
func rotation(matrix []byte) int {
	if len(matrix) < 36 {
		return 0
	}
	a, b := float64(int32(at32(matrix, 0))), float64(int32(at32(matrix, 4)))
	return (int(math.Round(math.Atan2(b, a)*180/math.Pi)) + 360) % 360
}

var identity = slices.Concat(u32(1<<16), zeros(12), u32(1<<16), zeros(12), u32(1<<30))

func indexMP4(ctx context.Context, in media.Input, target float64) (domain.Media, *index, error) {
	f, err := readMP4(ctx, in)
	if err != nil {
		return domain.Media{}, nil, err
	}
	x := &index{fileSize: in.Size, video: -1}
	// What presents at second 0 is where the earliest of picture and sound begins.
	origin := math.Inf(1)
	for i, t := range f.tracks {
		d := t.describe(func() []byte { return f.firstPacket(t) })
		t.described = d
		if t.timescale == 0 && (t.handler == "vide" || t.handler == "soun") {
			return domain.Media{}, nil, damaged("track %d has no time scale", i)
		}
		x.tracks = append(x.tracks, t.indexed())
		if kind := x.tracks[i].kind; kind == kindVideo || kind == kindAudio {
			if t.external {
				return domain.Media{}, nil, refused()
			}
			if s, ok := f.first(t); ok {
				origin = min(origin, t.presented(f.scale, s))
			}
			if kind == kindVideo && x.video < 0 && !t.isChapterTrack && !t.isPicture() {
				x.video = i
			}
		}
	}
	if x.video < 0 {
		return domain.Media{}, nil, noVideo()
	}
	packets := 0
	for i, t := range f.tracks {
		if n, err := t.table.count(in.Size); err != nil {
			continue // reading the track says so
		} else if t.table.frame > 0 {
			packets += n / pcmFrames
		} else {
			packets += n
		}
		if packets > maxPackets {
			return domain.Media{}, nil, damaged("more than %d packets in %d tracks", maxPackets, i+1)
		}
	}
	for i, t := range f.tracks {
		if x.tracks[i].kind == kindOther {
			continue
		}
		place(&x.tracks[i], t, f.scale, origin)
	}
	return f.finish(ctx, x, target)
}

func noVideo() error {
	return fault.New(fault.Invalid, media.CodeNoVideo, "The file has no picture track, so it is not a film.")
}

func (t *mp4Track) isPicture() bool {
	return (t.codecOf() == "mjpeg" || t.codecOf() == "png") && t.table.claimed <= 1 && len(t.fragments) == 0
}

func (t *mp4Track) codecOf() string { return t.described.codec }

// indexed copies what the index keeps.
func (t *mp4Track) indexed() track {
	d := t.described
	x := track{kind: kindOther, codec: d.codec, timescale: max(t.timescale, 1), language: languageT(t.language), entry: d.entry, config: d.config,
		sampleRate: d.sampleRate, channels: d.channels, width: t.width, height: t.height}
	switch {
	case t.handler == "vide":
		x.kind = kindVideo
	case t.handler == "soun":
		x.kind = kindAudio
	case d.codec != "" && !t.isChapterTrack:
		x.kind = kindText
	}
	if len(t.matrix) == 36 && !bytes.Equal(t.matrix, identity) {
		x.matrix = t.matrix
	}
	if pcmBytes(d.codec) > 0 || d.codec == "encrypted" {
		x.entry = nil
	}
	return x
}

// presented is when a sample is shown on the movie's axis, in seconds.
func (t *mp4Track) presented(scale uint32, s sample) float64 {
	return float64(t.empty)/float64(scale) + float64(s.dts+int64(s.cto)-t.mediaTime)/float64(t.timescale)
}

// place decides how the track's times are written: as they are with the source's edit where the movie begins at 0.
// A delay is put into the decode times, since browsers pass over empty edits.
func place(x *track, t *mp4Track, scale uint32, origin float64) {
	ticks := float64(t.timescale)
	if origin < 0 || math.IsInf(origin, 0) {
		origin = 0 // decoder delay before 0 stays hidden behind the edit
	}
	delta := int64(math.Round((float64(t.empty)/float64(scale) - origin) * ticks))
	begin := int64(0)
	if len(t.fragments) > 0 && t.table.claimed == 0 {
		begin = t.fragments[0].dts
	}
	delta -= t.mediaTime
	// delta is what turns composition time into presentation time; decode times may move down to 0 at most.
	if delta < 0 {
		down := min(begin, -delta)
		x.shift = -down
		x.edit = -delta - down
	} else {
		x.shift = delta
	}
}

// first returns the first sample.
func (f *mp4File) first(t *mp4Track) (s sample, ok bool) {
	_ = f.each(t, func(v *sample) error {
		s, ok = *v, true
		return errStop
	})
	return s, ok
}

var errStop = fault.New(fault.Internal, "media.stop", "enough")

// firstPacket returns the beginning of the first sample, at most 64 KiB, nil where there is none.
func (f *mp4File) firstPacket(t *mp4Track) []byte {
	s, ok := f.first(t)
	if !ok {
		return nil
	}
	b, _ := f.w.upTo(s.offset, int(min(s.size, 64<<10)))
	return slices.Clone(b)
}

// finish lays the grid, packs the packets and tells the facts.
func (f *mp4File) finish(ctx context.Context, x *index, target float64) (domain.Media, *index, error) {
	m := domain.Media{Container: "mp4", Chapters: f.chapters, Indexed: true}
	for _, t := range f.tracks {
		if t.edits > 1 && (t.handler == "vide" || t.handler == "soun") {
			m.Indexed = false
		}
	}
	if err := f.layGrid(x, &m, target); err != nil {
		return m, nil, err
	}
	if len(x.tracks)*len(x.starts) > maxBlocks {
		return m, nil, damaged("%d tracks in %d segments", len(x.tracks), len(x.starts))
	}
	for i, t := range f.tracks {
		if err := ctx.Err(); err != nil {
			return m, nil, err
		}
		var begin, length float64
		var count int
		if x.tracks[i].kind != kindOther {
			var err error
			if begin, length, count, err = f.pack(x, i); err != nil {
				return m, nil, err
			}
			if x.tracks[i].kind != kindText {
				x.duration = max(x.duration, length)
			}
		}
		f.tell(&m, x, i, begin, length, count)
		if t.isChapterTrack && (t.handler == "text" || t.handler == "sbtl") && len(m.Chapters) == 0 {
			m.Chapters = f.chapterTrack(t)
		}
	}
	for _, c := range f.covers {
		c.Index = len(f.tracks) + slices.IndexFunc(f.covers, func(o domain.Video) bool { return o == c })
		m.Video = append(m.Video, c)
	}
	closeFacts(&m, x)
	m.Indexed = m.Indexed && x.tracks[x.video].entry != nil
	return m, x, nil
}

// closeFacts completes what both containers have in common.
func closeFacts(m *domain.Media, x *index) {
	if last := float64(x.starts[len(x.starts)-1]) / float64(x.gridScale); x.duration <= last {
		x.duration = last + 1/float64(x.gridScale)
	}
	m.Duration = x.duration
	if m.Duration > 0 {
		m.BitRate = int64(float64(x.fileSize) * 8 / m.Duration)
	}
	slices.SortStableFunc(m.Chapters, func(a, b domain.Chapter) int {
		switch {
		case a.Start < b.Start:
			return -1
		case a.Start > b.Start:
			return 1
		}
		return 0
	})
	for i := range m.Chapters {
		if c := &m.Chapters[i]; c.End <= c.Start {
			if c.End = m.Duration; i+1 < len(m.Chapters) {
				c.End = m.Chapters[i+1].Start
			}
		}
	}
}

// cutter lays the grid: a cut at the first keyframe at least target after the last cut.
type cutter struct {
	starts []int64
	target int64 // ticks
}

func (c *cutter) keyframe(at int64) (cut bool) {
	if len(c.starts) == 0 {
		c.starts = []int64{0}
		return true
	}
	if at-c.starts[len(c.starts)-1] >= c.target {
		c.starts = append(c.starts, at)
		return true
	}
	return false
}

func tooManySegments() error { return damaged("more than %d segments", maxSegments) }

// layGrid cuts at keyframes of the first picture track by decode time, which are the very values of tfdt, and looks for open GOPs.
func (f *mp4File) layGrid(x *index, m *domain.Media, target float64) error {
	t, shift := f.tracks[x.video], x.tracks[x.video].shift
	x.gridScale = t.timescale
	c := cutter{target: int64(math.Ceil(target * float64(t.timescale)))}
	var lastKey, key sample
	var open []sample // keyframes with leading pictures
	var end, longest int64
	err := f.each(t, func(s *sample) error {
		if s.sync || end == 0 {
			if c.keyframe(s.dts+shift) && len(c.starts) > maxSegments {
				return tooManySegments()
			}
			if s.sync {
				if m.KeyframeCount++; m.KeyframeCount > 1 {
					longest = max(longest, s.dts-lastKey.dts)
				}
				lastKey, key = *s, *s
			}
		} else if key.size > 0 && m.KeyframeCount > 1 && s.dts+int64(s.cto) < key.dts+int64(key.cto) {
			if len(open) < 8 {
				open = append(open, key)
			}
			key.size = 0 // looked at
		}
		end = max(end+1, s.dts+int64(s.dur))
		return nil
	})
	if err != nil {
		return err
	}
	if len(c.starts) == 0 {
		return noVideo()
	}
	if m.KeyframeCount > 0 {
		longest = max(longest, end-lastKey.dts)
	}
	m.KeyframeInterval = float64(longest) / float64(t.timescale)
	x.starts = c.starts
	for _, s := range open {
		b, err := f.w.upTo(s.offset, int(min(s.size, 64<<10)))
		if err != nil {
			return err
		}
		if idr, known := isIDR(t.described.codec, b, t.described.nalLength); known && !idr {
			m.OpenGOP = true
			break
		}
	}
	return nil
}

// pack writes the track's packets into the blocks of the grid: pictures by the cuts, all else by presentation time.
// It returns when the first packet begins and the last one ends, in seconds, and how many there are.
func (f *mp4File) pack(x *index, i int) (begin, length float64, count int, err error) {
	t, src := &x.tracks[i], f.tracks[i]
	t.blocks = make([][]byte, len(x.starts))
	var w blockWriter
	n := 0
	begun := false
	err = f.each(src, func(s *sample) error {
		if s.dts += t.shift; s.dts < 0 {
			return damaged("a packet before the beginning")
		}
		for n+1 < len(x.starts) {
			if i == x.video {
				if !(s.sync || !begun) || s.dts < x.starts[n+1] {
					break
				}
			} else if float64(s.dts+int64(s.cto)-t.edit)/float64(t.timescale) < float64(x.starts[n+1])/float64(x.gridScale) {
				break
			}
			t.blocks[n] = w.flush()
			n++
		}
		begun = true
		if w.count >= maxSegmentPackets {
			return damaged("more than %d packets without a keyframe", maxSegmentPackets)
		}
		w.add(s)
		at := float64(s.dts+int64(s.cto)-t.edit) / float64(t.timescale)
		if count++; count == 1 || at < begin {
			begin = at
		}
		length = max(length, float64(s.dts+int64(s.cto)+int64(s.dur)-t.edit)/float64(t.timescale))
		return nil
	})
	t.blocks[n] = w.flush()
	return begin, length, count, err
}

// tell adds the track's facts.
func (f *mp4File) tell(m *domain.Media, x *index, i int, begin, length float64, count int) {
	t, d := f.tracks[i], f.tracks[i].described
	name := strings.ToLower(t.name)
	has := func(roles ...string) bool {
		return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(t.roles, r) })
	}
	switch x.tracks[i].kind {
	case kindVideo:
		v := domain.Video{Index: i, Codec: d.codec, Profile: d.profile, Level: d.level, CodecString: d.codecString, Width: d.width, Height: d.height, BitDepth: d.bitDepth, HDR: d.hdr,
			Rotation: rotation(t.matrix), Language: t.language, Default: t.enabled, AttachedPicture: t.isChapterTrack || t.isPicture()}
		if length > begin && count > 1 {
			v.FrameRate = averageRate(count, length-begin)
		}
		m.Video = append(m.Video, v)
	case kindAudio:
		m.Audio = append(m.Audio, domain.Audio{Index: i, Codec: d.codec, CodecString: d.codecString, Profile: d.profile, Channels: d.channels, SampleRate: d.sampleRate,
			Language: t.language, Title: t.name, Default: t.enabled, Forced: has("forced-subtitle", "forced_subtitle"),
			Commentary: has("commentary") || strings.Contains(name, "commentary"), Duration: length})
	case kindText:
		forced := has("forced-subtitle", "forced_subtitle") || strings.Contains(name, "forced") || t.entryKind == "tx3g" && at32(t.entry, 8)&0x80000000 != 0
		m.Subtitles = append(m.Subtitles, domain.Subtitle{Index: i, Codec: d.codec, Language: t.language, Title: t.name, Default: t.enabled, Forced: forced,
			HearingImpaired: has("caption") || strings.Contains(name, "sdh") || strings.Contains(name, "hearing impaired"), Text: d.codec == "mov_text" || d.codec == "webvtt"})
	}
}

// averageRate rounds to a thousandth, so that 24000/1001 is 23.976 whatever the last frame's duration.
func averageRate(frames int, seconds float64) float64 {
	return math.Round(float64(frames)/seconds*1000) / 1000
}

// chapterTrack reads chapters from a text track (QuickTime): a sample each, its text behind a 16-bit length.
func (f *mp4File) chapterTrack(t *mp4Track) []domain.Chapter {
	var chapters []domain.Chapter
	_ = f.each(t, func(s *sample) error {
		if len(chapters) >= 10000 {
			return errStop
		}
		b, err := f.w.upTo(s.offset, int(min(s.size, 4096)))
		if err != nil || len(b) < 2 {
			return nil //nolint:nilerr // a chapter without a title is none
		}
		text := b[2:min(len(b), 2+int(at16(b, 0)))]
		start := float64(s.dts) / float64(max(t.timescale, 1))
		chapters = append(chapters, domain.Chapter{Start: start, End: start + float64(s.dur)/float64(max(t.timescale, 1)), Title: utf16OrUTF8(text)})
		return nil
	})
	return chapters
}

func utf16OrUTF8(b []byte) string {
	if len(b) < 2 || at16(b, 0) != 0xfeff && at16(b, 0) != 0xfffe {
		return cleanText(b)
	}
	return cleanText([]byte(decodeUTF16(b)))
}

func decodeUTF16(b []byte) string {
	var order binary.ByteOrder = binary.BigEndian
	if at16(b, 0) == 0xfffe {
		order = binary.LittleEndian
	}
	var runes []rune
	for i := 2; i+2 <= len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if r >= 0xd800 && r < 0xdc00 && i+4 <= len(b) {
			r = (r-0xd800)<<10 + rune(order.Uint16(b[i+2:])) - 0xdc00 + 0x10000
			i += 2
		}
		runes = append(runes, r)
	}
	return string(runes)
}
