package cmaf

import (
	"context"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

const (
	// maxMoov bounds the movie box: ten hours with a dozen tracks take about 30 MB.
	maxMoov = 128 << 20
	maxMoof = 16 << 20
	// maxBoxes bounds the top level: a day in fragments of one second has 260,000 boxes.
	maxBoxes = 2 << 20
	// maxPackets bounds the packets of all tracks together: a table of equal sizes claims any number of them in twenty bytes. Thirty hours of
	// pictures and ten tracks of sound have 50 million.
	maxPackets = 64 << 20
	// maxSegments bounds the grid: a week in segments of six seconds has 100,000.
	maxSegments = 1 << 17
	// maxBlocks bounds the segments of all tracks together, each of which is a place in memory even when it is empty.
	maxBlocks = 4 << 20
	// maxFragmentSamples bounds the packets of fragmented files: twelve hours of video with sound have 4 million.
	maxFragmentSamples = 4 << 20
)

// mp4Track is a track box as read.
type mp4Track struct {
	id             uint32
	enabled        bool
	matrix         []byte
	width, height  uint32 // 16.16
	handler        string
	timescale      uint32
	duration       uint64
	language       string
	name           string
	roles          []string
	chapterTracks  []uint32
	empty          int64 // leading empty edit, movie ticks
	mediaTime      int64
	lift           int64 // added to composition offsets, see raise
	edits          int   // that show media
	entryKind      string
	entry          []byte // body of the first sample entry
	external       bool   // its data lie in another file
	table          sampleTable
	defaults       trex
	fragments      []sample
	described      described
	isChapterTrack bool
}

type trex struct{ dur, size, flags uint32 }

type mp4File struct {
	w         *window
	fragments bool
	moov      []byte
	moofs     []extent
	scale     uint32
	duration  uint64
	tracks    []*mp4Track
	chapters  []domain.Chapter
	covers    []domain.Video
}

var topLevelBoxes = []string{"ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "moof", "sidx", "uuid", "meta", "udta", "mfra", "emsg", "prft", "ssix", "junk", "PICT", "pict"}

// firstBoxes are the ones that files begin with.
var firstBoxes = []string{"ftyp", "moov", "mdat", "free", "skip", "wide", "pnot", "styp", "moof", "sidx", "uuid"}

// looksLikeMP4 tells by the first box.
func looksLikeMP4(head []byte) bool {
	return len(head) >= 8 && slices.Contains(firstBoxes, fourCC(head[4:])) && (at32(head, 0) >= 8 || at32(head, 0) < 2)
}

func readMP4(ctx context.Context, in media.Input) (*mp4File, error) {
	f := &mp4File{w: newWindow(ctx, in.Reader, in.Size, peekWindow)}
	if err := f.findBoxes(); err != nil {
		return nil, err
	}
	if err := f.readMovie(); err != nil {
		return nil, err
	}
	for _, moof := range f.moofs {
		if err := f.readFragment(moof); err != nil {
			return nil, err
		}
	}
	for _, t := range f.tracks {
		if err := t.joinFragments(); err != nil {
			return nil, err
		}
		t.raise()
	}
	return f, nil
}

// findBoxes walks the top level. A box that reaches beyond the end is a truncation, unless the movie is already known
// and what is left is none of its parts (players and this one ignore appended garbage).
func (f *mp4File) findBoxes() error {
	var pos int64
	mdat, picture := false, false
	for boxes := 0; pos < f.w.size; boxes++ {
		if boxes > maxBoxes {
			return damaged("more than %d boxes", maxBoxes)
		}
		head, err := f.w.upTo(pos, 16)
		if err != nil {
			return err
		}
		complete := f.moov != nil && (mdat || len(f.moofs) > 0)
		if len(head) < 8 {
			break
		}
		kind, header, size := fourCC(head[4:]), int64(8), int64(be.Uint32(head))
		switch size {
		case 0:
			size = f.w.size - pos
		case 1:
			if len(head) < 16 {
				return truncated("the header of %q is incomplete", kind)
			}
			header, size = 16, int64(min(be.Uint64(head[8:]), math.MaxInt64))
		}
		known := slices.Contains(topLevelBoxes, kind)
		if size < header || size > f.w.size-pos {
			if complete && !known {
				break
			}
			if size < header || !known {
				return damaged("the box %q at %d claims %d bytes", kind, pos, size)
			}
			return truncated("%q at %d has %d of %d bytes", kind, pos, f.w.size-pos, size)
		}
		switch kind {
		case "mdat":
			mdat = true
		case "meta":
			picture = true // a HEIF picture has no movie box, but this one
		case "moov":
			if f.moov == nil {
				if f.moov, err = f.w.load(pos+header, size-header, maxMoov); err != nil {
					return err
				}
			}
		case "moof":
			f.moofs = append(f.moofs, extent{offset: pos, size: size})
		}
		pos += size
	}
	if f.moov == nil && picture {
		return unknownContainer()
	}
	if f.moov == nil {
		return truncated("its movie box is missing")
	}
	return nil
}

func (f *mp4File) readMovie() error {
	if _, compressed := child(f.moov, "cmov"); compressed {
		return unknownContainer()
	}
	defaults := map[uint32]trex{}
	err := eachBox(f.moov, func(kind string, b []byte) error {
		switch kind {
		case "mvhd":
			if len(b) > 0 && b[0] == 1 {
				f.scale, f.duration = at32(b, 20), at64(b, 24)
			} else {
				f.scale, f.duration = at32(b, 12), uint64(at32(b, 16))
			}
		case "trak":
			if len(f.tracks) >= maxTracks {
				return damaged("more than %d tracks", maxTracks)
			}
			t, err := f.readTrack(b)
			if err != nil {
				return err
			}
			f.tracks = append(f.tracks, t)
		case "mvex":
			f.fragments = true
			return eachBox(b, func(kind string, b []byte) error {
				if kind == "trex" {
					defaults[at32(b, 4)] = trex{at32(b, 12), at32(b, 16), at32(b, 20)}
				}
				return nil
			})
		case "udta":
			f.readUserData(b)
		case "meta":
			f.readMeta(b)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if f.scale == 0 {
		return damaged("the movie has no time scale")
	}
	chapters := map[uint32]bool{}
	for _, t := range f.tracks {
		t.defaults = defaults[t.id]
		for _, id := range t.chapterTracks {
			chapters[id] = true
		}
	}
	for _, t := range f.tracks {
		t.isChapterTrack = chapters[t.id]
	}
	return nil
}

func (f *mp4File) readTrack(b []byte) (*mp4Track, error) {
	t := &mp4Track{}
	err := eachBox(b, func(kind string, b []byte) error {
		switch kind {
		case "tkhd":
			i := 12
			if len(b) > 0 && b[0] == 1 {
				i = 20
			}
			t.enabled, t.id = at32(b, 0)&1 == 1, at32(b, i)
			if m := len(b) - 44; m >= i {
				t.matrix, t.width, t.height = b[m:m+36], at32(b, m+36), at32(b, m+40)
			}
		case "edts":
			if elst, ok := child(b, "elst"); ok {
				t.readEdits(elst)
			}
		case "tref":
			if chap, ok := child(b, "chap"); ok {
				for i := 0; i+4 <= len(chap) && i < 4*maxTracks; i += 4 {
					t.chapterTracks = append(t.chapterTracks, at32(chap, i))
				}
			}
		case "udta":
			_ = eachBox(b, func(kind string, b []byte) error {
				switch kind {
				case "name":
					t.name = cleanText(b)
				case "titl":
					if len(b) > 6 {
						t.name = cleanText(b[6:])
					}
				case "kind": // ISO/IEC 14496-12, 8.10.4: scheme and value, both ended by 0
					if len(b) > 4 {
						scheme, value, _ := strings.Cut(string(b[4:]), "\x00")
						value, _, _ = strings.Cut(value, "\x00")
						if strings.HasPrefix(scheme, "urn:mpeg:dash:role") {
							t.roles = append(t.roles, value)
						}
					}
				}
				return nil
			})
		case "mdia":
			return t.readMedia(b)
		}
		return nil
	})
	return t, err
}

// readEdits keeps the leading empty edit and where the first shown edit begins; more than one shown edit is counted,
// since such a track cannot be played as it lies.
func (t *mp4Track) readEdits(b []byte) {
	wide := len(b) > 0 && b[0] == 1
	size := 12
	if wide {
		size = 20
	}
	n := int(at32(b, 4))
	for i := 8; n > 0 && i+size <= len(b); i, n = i+size, n-1 {
		var dur, mediaTime int64
		if wide {
			dur, mediaTime = int64(at64(b, i)), int64(at64(b, i+8))
		} else {
			dur, mediaTime = int64(at32(b, i)), int64(int32(at32(b, i+4)))
		}
		switch {
		case mediaTime < 0 && t.edits == 0 && dur > 0 && dur < 1<<48:
			t.empty += dur
		case mediaTime >= 0 && mediaTime < 1<<48:
			if t.edits == 0 {
				t.mediaTime = mediaTime
			}
			t.edits++
		}
	}
}

func (t *mp4Track) readMedia(b []byte) error {
	return eachBox(b, func(kind string, b []byte) error {
		switch kind {
		case "mdhd":
			lang := at16(b, 20)
			if len(b) > 0 && b[0] == 1 {
				t.timescale, t.duration, lang = at32(b, 20), at64(b, 24), at16(b, 32)
			} else {
				t.timescale, t.duration = at32(b, 12), uint64(at32(b, 16))
				if t.duration == math.MaxUint32 {
					t.duration = 0
				}
			}
			if t.language == "" {
				t.language = packedLanguage(lang)
			}
		case "hdlr":
			if len(b) >= 12 {
				t.handler = fourCC(b[8:])
			}
			if name := handlerName(b); t.name == "" {
				t.name = name
			}
		case "elng":
			if len(b) > 4 {
				if l := languageB(cleanText(b[4:])); l != "" {
					t.language = l
				}
			}
		case "minf":
			if dinf, ok := child(b, "dinf"); ok {
				if dref, ok := child(dinf, "dref"); ok && len(dref) >= 8 {
					_ = eachBox(dref[8:], func(_ string, b []byte) error {
						t.external = t.external || at32(b, 0)&1 == 0
						return nil
					})
				}
			}
			if stbl, ok := child(b, "stbl"); ok {
				return eachBox(stbl, func(kind string, b []byte) error {
					if kind == "stsd" && len(b) >= 8 {
						return eachBox(b[8:], func(kind string, b []byte) error {
							if t.entryKind == "" {
								t.entryKind, t.entry = kind, b
							}
							return nil
						})
					}
					t.table.set(kind, b)
					return nil
				})
			}
		}
		return nil
	})
}

// handlerName returns the track name that some writers put into the handler; the generic ones say nothing.
func handlerName(b []byte) string {
	if len(b) <= 24 {
		return ""
	}
	name := b[24:]
	if int(name[0]) == len(name)-1 { // QuickTime's counted string
		name = name[1:]
	}
	s := cleanText(name)
	for _, generic := range []string{"handler", "mainconcept", "gpac", "l-smash", "isomedia", "bento4", "apple", "core media", "sound", "video", "audio", "subtitle", "mono", "stereo", "surround"} {
		if strings.Contains(strings.ToLower(s), generic) && !strings.Contains(strings.ToLower(s), "commentary") {
			return ""
		}
	}
	return s
}

// cleanText returns bytes as text: up to the first NUL, valid UTF-8, no control characters, at most 512 bytes.
func cleanText(b []byte) string {
	s, _, _ := strings.Cut(string(b[:min(len(b), 2048)]), "\x00")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r == 0x7f {
			return -1
		}
		return r
	}, s)
	for len(s) > 512 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}

// readUserData finds Nero chapters (chpl) and the cover.
func (f *mp4File) readUserData(b []byte) {
	_ = eachBox(b, func(kind string, b []byte) error {
		switch kind {
		case "chpl": // version and flags, reserved where version 1, count, then (start in 100 ns, length, title)
			i := 5
			if len(b) > 0 && b[0] == 1 {
				i = 9
			}
			for ; i+9 <= len(b); i += 9 + int(b[i+8]) {
				f.chapters = append(f.chapters, domain.Chapter{Start: float64(at64(b, i)) / 1e7, Title: cleanText(b[i+9 : min(len(b), i+9+int(b[i+8]))])})
			}
		case "meta":
			f.readMeta(b)
		}
		return nil
	})
}

// readMeta finds covers (iTunes' covr), which players count as pictures after the tracks.
func (f *mp4File) readMeta(b []byte) {
	if len(b) < 8 {
		return
	}
	if at32(b, 0) == 0 { // a full box in ISO files, a plain one in QuickTime
		b = b[4:]
	}
	ilst, _ := child(b, "ilst")
	covr, _ := child(ilst, "covr")
	_ = eachBox(covr, func(kind string, b []byte) error {
		codec := map[uint32]string{13: "mjpeg", 14: "png", 27: "bmp"}[at32(b, 0)]
		if kind == "data" && codec != "" && len(f.covers) < 16 {
			f.covers = append(f.covers, domain.Video{Codec: codec, AttachedPicture: true})
		}
		return nil
	})
}

// sampleTable is the table of a progressive file. Its arrays are the file's own bytes: nothing is allocated for the
// counts that it claims.
type sampleTable struct {
	stts, ctts, stsc, stss []byte // entries
	stsz, stz2, stco, co64 []byte
	hasSync, hasCtts       bool
	uniform                uint32
	claimed                uint32
	narrow                 byte // bits of an stz2 entry
	// frame is the size of one PCM frame: such tracks are packed by up to pcmFrames frames instead of one by one.
	frame uint32
}

const pcmFrames = 1024

func (t *sampleTable) set(kind string, b []byte) {
	entries := func(size int) []byte {
		if len(b) < 8 {
			return nil
		}
		n := min(uint64(at32(b, 4))*uint64(size), uint64(len(b)-8))
		return b[8 : 8+n-n%uint64(size)]
	}
	switch kind {
	case "stts":
		t.stts = entries(8)
	case "ctts":
		t.ctts, t.hasCtts = entries(8), true
	case "stsc":
		t.stsc = entries(12)
	case "stss":
		t.stss, t.hasSync = entries(4), true
	case "stco":
		t.stco = entries(4)
	case "co64":
		t.co64 = entries(8)
	case "stsz":
		t.uniform, t.claimed = at32(b, 4), at32(b, 8)
		if len(b) > 12 {
			t.stsz = b[12:]
		}
	case "stz2":
		t.claimed = at32(b, 8)
		if len(b) > 12 {
			t.narrow, t.stz2 = b[7], b[12:]
		}
	}
}

// count returns how many samples there are, refusing more than the table or the file can hold.
func (t *sampleTable) count(fileSize int64) (int, error) {
	n := int64(t.claimed)
	var most int64
	switch {
	case t.frame > 0:
		most = fileSize / int64(t.frame)
	case t.uniform > 0:
		most = min(fileSize/int64(t.uniform), fileSize/8) // packets of a codec are never this small all along
	case t.stz2 != nil:
		if t.narrow != 4 && t.narrow != 8 && t.narrow != 16 {
			return 0, damaged("sample sizes of %d bits", t.narrow)
		}
		most = min(int64(len(t.stz2))*8/int64(t.narrow), fileSize/8)
	default:
		most = int64(len(t.stsz) / 4)
	}
	if n > most {
		return 0, damaged("%d packets where at most %d fit", n, most)
	}
	return int(n), nil
}

func (t *sampleTable) size(i int) uint32 {
	switch {
	case t.frame > 0:
		return t.frame
	case t.uniform > 0:
		return t.uniform
	case t.narrow == 16:
		return uint32(at16(t.stz2, 2*i))
	case t.narrow == 8:
		return uint32(t.stz2[i])
	case t.narrow == 4:
		return uint32(t.stz2[i/2]>>(4*(1-i%2))) & 15
	}
	return at32(t.stsz, 4*i)
}

// runs steps through a run-length table of (count, value).
type runs struct {
	b     []byte
	left  uint32
	value uint32
}

func (r *runs) next() uint32 {
	for r.left == 0 && len(r.b) >= 8 {
		r.left, r.value, r.b = at32(r.b, 0), at32(r.b, 4), r.b[8:]
	}
	if r.left > 0 {
		r.left--
	}
	return r.value
}

// each visits the samples in decode order. Samples outside the file are a truncation; more bytes than the file has are damage.
func (t *sampleTable) each(fileSize int64, visit func(s *sample) error) error {
	count, err := t.count(fileSize)
	if err != nil || count == 0 {
		return err
	}
	chunks, chunkSize := t.stco, 4
	if t.co64 != nil {
		chunks, chunkSize = t.co64, 8
	}
	durs, ctos := runs{b: t.stts}, runs{b: t.ctts}
	var total, dts int64
	var perChunk uint32
	stsc, stss := t.stsc, t.stss
	i := 0
	for c := 0; c*chunkSize < len(chunks) && i < count; c++ {
		for len(stsc) > 0 && at32(stsc, 0) <= uint32(c+1) {
			perChunk, stsc = at32(stsc, 4), stsc[12:]
		}
		offset := uint64(at32(chunks, 4*c))
		if chunkSize == 8 {
			offset = at64(chunks, 8*c)
		}
		if offset > math.MaxInt64/2 {
			return damaged("a packet at %d", offset)
		}
		s := sample{offset: int64(offset)}
		for k := perChunk; k > 0 && i < count; {
			s.size, s.dur, s.dts, s.sync = t.size(i), durs.next(), dts, true
			if t.frame > 0 {
				n := min(k, pcmFrames, uint32(count-i))
				s.size, s.dur = n*t.frame, n*s.dur
				k, i = k-n, i+int(n)
			} else {
				if t.hasCtts {
					s.cto = int32(ctos.next())
				}
				if t.hasSync {
					for len(stss) > 0 && at32(stss, 0) < uint32(i+1) {
						stss = stss[4:]
					}
					s.sync = at32(stss, 0) == uint32(i+1)
				}
				k, i = k-1, i+1
			}
			if s.dur > math.MaxInt32 { // negative in disguise
				s.dur = 0
			}
			end := s.offset + int64(s.size)
			if total += int64(s.size); end > fileSize {
				return truncated("packet %d ends at %d of %d", i, end, fileSize)
			} else if total > fileSize {
				return damaged("packets overlap")
			}
			if err := visit(&s); err != nil {
				return err
			}
			s.offset, dts = end, dts+int64(s.dur)
		}
	}
	if i < count {
		return damaged("%d of %d packets have a place", i, count)
	}
	return nil
}

// readFragment adds the samples of a movie fragment (ISO/IEC 14496-12, 8.8) to their tracks.
func (f *mp4File) readFragment(at extent) error {
	b, err := f.w.load(at.offset, at.size, maxMoof)
	if err != nil {
		return err
	}
	dataEnd := at.offset
	body, _ := child(b, "moof")
	return eachBox(body, func(kind string, traf []byte) error {
		if kind != "traf" {
			return nil
		}
		tfhd, _ := child(traf, "tfhd")
		flags, id := at32(tfhd, 0)&0xffffff, at32(tfhd, 4)
		var t *mp4Track
		for _, c := range f.tracks {
			if c.id == id {
				t = c
			}
		}
		if t == nil {
			return damaged("a fragment of track %d, which is not declared", id)
		}
		i, base, d := 8, dataEnd, t.defaults
		if flags&1 != 0 {
			base, i = int64(at64(tfhd, i)&math.MaxInt64), i+8
		} else if flags&0x20000 != 0 {
			base = at.offset
		}
		if flags&2 != 0 {
			i += 4
		}
		for bit, v := range map[uint32]*uint32{8: &d.dur, 0x10: &d.size, 0x20: &d.flags} {
			at := i
			for before := uint32(8); before < bit; before <<= 1 {
				if flags&before != 0 {
					at += 4
				}
			}
			if flags&bit != 0 {
				*v = at32(tfhd, at)
			}
		}
		dts := int64(0)
		if n := len(t.fragments); n > 0 {
			dts = t.fragments[n-1].dts + int64(t.fragments[n-1].dur)
		} else if t.table.claimed > 0 {
			dts = int64(t.duration)
		}
		if tfdt, ok := child(traf, "tfdt"); ok {
			if dts = int64(at32(tfdt, 4)); len(tfdt) > 0 && tfdt[0] == 1 {
				dts = int64(at64(tfdt, 4) & math.MaxInt64)
			}
		}
		offset := base
		err := eachBox(traf, func(kind string, b []byte) error {
			if kind != "trun" {
				return nil
			}
			return f.readRun(t, b, d, base, &offset, &dts)
		})
		dataEnd = offset
		return err
	})
}

func (f *mp4File) readRun(t *mp4Track, b []byte, d trex, base int64, offset, dts *int64) error {
	flags, n, i := at32(b, 0)&0xffffff, at32(b, 4), 8
	if flags&1 != 0 {
		*offset = base + int64(int32(at32(b, i)))
		i += 4
	}
	first, hasFirst := at32(b, i), flags&4 != 0
	if hasFirst {
		i += 4
	}
	entry := 0
	for bit := uint32(0x100); bit <= 0x800; bit <<= 1 {
		if flags&bit != 0 {
			entry += 4
		}
	}
	if int64(n)*int64(entry) > int64(max(0, len(b)-i)) || entry == 0 && int64(n)*int64(max(d.size, 8)) > f.w.size {
		return damaged("a fragment with %d packets", n)
	}
	if *offset < 0 {
		return damaged("a packet at %d", *offset)
	}
	for k := range n {
		s := sample{offset: *offset, dts: *dts, dur: d.dur, size: d.size}
		sampleFlags := d.flags
		if k == 0 && hasFirst {
			sampleFlags = first
		}
		for bit, v := uint32(0x100), uint32(0); bit <= 0x800; bit <<= 1 {
			if flags&bit == 0 {
				continue
			}
			v, i = at32(b, i), i+4
			switch bit {
			case 0x100:
				s.dur = v
			case 0x200:
				s.size = v
			case 0x400:
				sampleFlags = v
			case 0x800:
				s.cto = int32(v)
			}
		}
		s.sync = sampleFlags&0x10000 == 0
		if *offset += int64(s.size); *offset > f.w.size {
			return truncated("a packet ends at %d of %d", *offset, f.w.size)
		}
		if len(t.fragments) >= min(maxFragmentSamples, int(f.w.size/4)) {
			return damaged("more than %d packets in fragments", len(t.fragments))
		}
		*dts += int64(s.dur)
		t.fragments = append(t.fragments, s)
	}
	return nil
}

// joinFragments makes the durations agree with the decode times that the fragments state, which may leave gaps.
func (t *mp4Track) joinFragments() error {
	for i := 1; i < len(t.fragments); i++ {
		gap := t.fragments[i].dts - t.fragments[i-1].dts
		if gap < 0 || gap > math.MaxInt32 {
			return damaged("fragments of track %d are out of order", t.id)
		}
		t.fragments[i-1].dur = uint32(gap)
	}
	return nil
}

// raise makes offsets that are below 0 (version 1 of ctts and trun) into ones that are not, with an edit that is later by as much: ffmpeg and
// what is made with it take them for a delay of the whole track in fragmented files.
func (t *mp4Track) raise() {
	lowest := int64(0)
	for b := t.table.ctts; len(b) >= 8; b = b[8:] {
		lowest = min(lowest, int64(int32(at32(b, 4))))
	}
	for _, s := range t.fragments {
		lowest = min(lowest, int64(s.cto))
	}
	if lowest > -1<<28 {
		t.lift = -lowest
		t.mediaTime += t.lift
	}
}

// each visits all samples of the track, those of the movie box first.
func (f *mp4File) each(t *mp4Track, visit func(s *sample) error) error {
	var last sample
	err := t.table.each(f.w.size, func(s *sample) error {
		last = *s
		last.cto = lifted(s.cto, t.lift)
		return visit(&last)
	})
	if err != nil {
		return err
	}
	if len(t.fragments) > 0 && t.fragments[0].dts < last.dts+int64(last.dur) {
		return damaged("fragments begin before the movie's own packets end")
	}
	var total int64
	for i := range t.fragments {
		s := t.fragments[i]
		s.cto = lifted(s.cto, t.lift)
		if total += int64(s.size); total > f.w.size {
			return damaged("packets overlap")
		}
		if err := visit(&s); err != nil {
			return err
		}
	}
	return nil
}

func lifted(offset int32, by int64) int32 { return int32(min(int64(offset)+by, math.MaxInt32)) }

func refused() error {
	return fault.New(fault.Invalid, media.CodeRefused, "The file takes its pictures or sound from another file, which is never followed. Remux it into one file.")
}
