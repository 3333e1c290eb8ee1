package cmaf

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/media"
)

// mkv builds Matroska files byte by byte, in the shapes that ffmpeg does not write.
type mkv struct {
	tracks, extra, clusters []byte
	cues                    []byte
	cueOff                  bool // leave the Cues out
	live                    bool // unknown sizes
	late                    []byte
	base                    int // where clusters begin in the segment, 0 for cueBase
}

func uintElement(id uint32, v uint64) []byte {
	b := u64(v)
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return element(id, b)
}

func floatElement(id uint32, v float64) []byte { return element(id, u64(math.Float64bits(v))) }

func textElement(id uint32, s string) []byte { return element(id, []byte(s)) }

func trackEntry(number uint64, kind uint64, codec string, more ...[]byte) []byte {
	return element(idTrackEntry, join(uintElement(idTrackNumber, number), uintElement(idTrackType, kind), textElement(idCodecID, codec), join(more...)))
}

var tiny = element(idVideo, uintElement(idPixelWidth, 64), uintElement(idPixelHeight, 36))

// simple is a SimpleBlock, laced as asked: 0 none, 1 Xiph, 2 equal sizes, 3 EBML.
func simple(id uint32, number byte, offset int16, key bool, lacing byte, frames ...[]byte) []byte {
	flags := lacing << 1
	if key && id == idSimpleBlock {
		flags |= 0x80
	}
	b := join([]byte{0x80 | number}, u16(uint16(offset)), []byte{flags})
	if lacing > 0 {
		b = append(b, byte(len(frames)-1))
		last := 0
		for i, f := range frames[:len(frames)-1] {
			switch lacing {
			case 1:
				n := len(f)
				for ; n >= 255; n -= 255 {
					b = append(b, 255)
				}
				b = append(b, byte(n))
			case 3:
				if i == 0 {
					b = append(b, 0x40|byte(len(f)>>8), byte(len(f)))
				} else {
					v := len(f) - last + 8191
					b = append(b, 0x40|byte(v>>8), byte(v))
				}
				last = len(f)
			}
		}
	}
	return element(id, b, join(frames...))
}

func (m *mkv) cluster(at uint64, keyTrack uint64, blocks ...[]byte) {
	if keyTrack > 0 {
		m.cues = append(m.cues, element(idCuePoint, uintElement(idCueTime, at), element(idCueTrackPositions, uintElement(idCueTrack, keyTrack),
			element(idCueClusterPosition, u64(uint64(len(m.clusters)+m.begin())))))...)
	}
	c := element(idCluster, uintElement(idTimestamp, at), join(blocks...))
	if m.live {
		binary.BigEndian.PutUint64(c[4:], math.MaxUint64)
		c[4] = 0x01
	}
	m.clusters = append(m.clusters, c...)
}

// cueBase is where clusters begin in the segment of short films: what comes before is padded to it.
const cueBase = 8192

func (m *mkv) begin() int { return max(m.base, cueBase) }

func (m *mkv) bytes(duration float64) []byte {
	head := join(element(idInfo, uintElement(idScale, 1e6), floatElement(idDuration, duration)), element(idTracks, m.tracks), m.extra)
	if !m.cueOff {
		head = join(head, element(idCues, m.cues))
	}
	head = join(head, element(idVoid, zeros(m.begin()-len(head)-9)))
	segment := element(idSegment, head, m.clusters, m.late)
	if m.live {
		binary.BigEndian.PutUint64(segment[4:], math.MaxUint64)
		segment[4] = 0x01
	}
	return join(element(idEBML, textElement(idDocType, "matroska")), segment)
}

func input(b []byte) media.Input {
	return media.Input{Reader: bytes.NewReader(b), Size: int64(len(b))}
}

// payloads returns the bytes of all segments' packets, packet by packet, with their presentation times in ticks.
func payloads(t *testing.T, p *Packager, b []byte, track int) (packets [][]byte, times []int64) {
	t.Helper()
	in := input(b)
	_, index, err := p.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	x, err := decodeIndex(index)
	if err != nil {
		t.Fatal(err)
	}
	for n := range x.starts {
		var out bytes.Buffer
		if err := p.Segment(t.Context(), in, index, track, n, &out); err != nil {
			t.Fatalf("segment %d: %v", n, err)
		}
		samples, _, err := x.segment(t.Context(), in, track, n)
		if err != nil {
			t.Fatal(err)
		}
		mdat, ok := child(out.Bytes(), "mdat")
		if !ok {
			t.Fatal("no mdat")
		}
		for _, s := range samples {
			packets = append(packets, mdat[:s.size])
			mdat = mdat[s.size:]
			times = append(times, s.dts+int64(s.cto)-x.tracks[track].edit)
		}
		if len(mdat) > 0 {
			t.Fatal("bytes of no packet")
		}
	}
	return packets, times
}

func TestEveryLacingAndStrippedHeaderGivesBackTheFrames(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 4))
	frame := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		copy(b, []byte{0xff, 0xfb, 0x90, 0x00}) // MPEG audio layer 3, 44.1 kHz
		return b
	}
	for lacing := byte(0); lacing < 4; lacing++ {
		for _, shape := range []string{"cues", "walk", "live", "groups", "stripped"} {
			var m mkv
			m.cueOff, m.live = shape == "walk" || shape == "live", shape == "live"
			var strip []byte
			encodings := []byte(nil)
			if shape == "stripped" {
				strip = []byte{0xff, 0xfb}
				encodings = element(idContentEncodings, element(idContentEncoding, element(idCompression, uintElement(idCompAlgo, 3), element(idCompSet, strip))))
			}
			m.tracks = join(trackEntry(1, 1, "V_VP9", tiny, uintElement(idDefaultDuration, 40e6)),
				trackEntry(2, 2, "A_MPEG/L3", element(idAudio, floatElement(idSampleRate, 44100), uintElement(idChannels, 2)), encodings))
			var pictures, sounds [][]byte
			at := 0.0
			for second := range 8 {
				var blocks [][]byte
				for i := range 25 {
					p := frame(50 + random.IntN(500))
					pictures = append(pictures, p)
					blocks = append(blocks, simple(idSimpleBlock, 1, int16(i*40), i == 0, 0, p))
					for at < float64(second)*1000+float64(i+1)*40 {
						count, size := 1, 100+random.IntN(900)
						if lacing > 0 {
							count = 1 + random.IntN(6)
						}
						var frames [][]byte
						for range count {
							f := frame(size)
							if lacing != 2 {
								f = frame(100 + random.IntN(900))
							}
							sounds = append(sounds, f)
							frames = append(frames, f[len(strip):])
						}
						offset := int16(math.Round(at) - float64(second)*1000)
						if shape == "groups" {
							blocks = append(blocks, element(idBlockGroup, simple(idBlock, 2, offset, true, lacing, frames...)))
						} else {
							blocks = append(blocks, simple(idSimpleBlock, 2, offset, true, lacing, frames...))
						}
						at += float64(count) * 1152 / 44.1
					}
				}
				m.cluster(uint64(second*1000), 1, blocks...)
			}
			file := m.bytes(8000)
			for track, want := range [][][]byte{pictures, sounds} {
				got, times := payloads(t, New(Config{Target: 2}), file, track)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("lacing %d, %s, track %d: %d packets of %d, or other bytes", lacing, shape, track, len(got), len(want))
				}
				for i := 1; i < len(times); i++ {
					if d := times[i] - times[i-1]; d < 25 || d > 41 {
						t.Fatalf("lacing %d, %s, track %d: packet %d comes %d ms after the one before", lacing, shape, track, i, d)
					}
				}
			}
		}
	}
}

// TestSoundFarFromItsPictureIsInItsSegment moves sound by seconds against the picture in the file, both ways, and lets one
// track end early.
func TestSoundFarFromItsPictureIsInItsSegment(t *testing.T) {
	t.Parallel()
	for _, skew := range []int{-4, -1, 0, 1, 4} {
		m := mkv{tracks: join(trackEntry(1, 1, "V_VP9", tiny), trackEntry(2, 2, "A_MPEG/L3", element(idAudio, floatElement(idSampleRate, 48000), uintElement(idChannels, 2))))}
		var want [][]byte
		for second := range 20 {
			blocks := [][]byte{simple(idSimpleBlock, 1, 0, true, 0, []byte{0x82, 1, 2, 3})}
			for i := range 10 {
				blocks = append(blocks, simple(idSimpleBlock, 1, int16(i*100+50), false, 0, []byte{0x86, byte(i)}))
				if at := (second+skew)*1000 + i*100; at >= 0 && at < 15000 {
					sound := fmt.Appendf([]byte{0xff, 0xfb, 0x94, 0}, "sound at %d", at)
					want = append(want, sound)
					blocks = append(blocks, simple(idSimpleBlock, 2, int16(at-second*1000), true, 0, sound))
				}
			}
			m.cluster(uint64(second*1000), 1, blocks...)
		}
		if got, _ := payloads(t, New(Config{Target: 2}), m.bytes(20000), 1); !reflect.DeepEqual(got, want) {
			t.Errorf("skew %d s: %d packets of %d, or in another order", skew, len(got), len(want))
		}
	}
}

func TestWrongCuesAreNotBelieved(t *testing.T) {
	t.Parallel()
	m := mkv{tracks: trackEntry(1, 1, "V_VP9", tiny)}
	for second := range 12 {
		m.cluster(uint64(second*1000), 1, simple(idSimpleBlock, 1, 0, true, 0, []byte{0x82, byte(second)}), simple(idSimpleBlock, 1, 500, false, 0, []byte{0x86, byte(second)}))
	}
	good := m.bytes(12000)
	want, _ := payloads(t, New(Config{Target: 2}), good, 0)
	bad := bytes.Clone(good)
	last := bytes.LastIndex(bad[:cueBase], []byte{idCueClusterPosition, 0x01, 0, 0, 0, 0, 0, 0, 8})
	bad[last+16] ^= 3 // three bytes off its cluster
	got, _ := payloads(t, New(Config{Target: 2}), bad, 0)
	if !reflect.DeepEqual(got, want) || len(got) != 24 {
		t.Fatalf("%d packets of %d", len(got), len(want))
	}
}

func TestMatroskaFacts(t *testing.T) {
	t.Parallel()
	colour := element(idColour, uintElement(idPrimaries, 9), uintElement(idTransfer, 16), uintElement(idMatrixCoeff, 9), uintElement(idMaxCLL, 1000), uintElement(idMaxFALL, 400),
		element(idMastering, floatElement(0x55D1, 0.708), floatElement(0x55D2, 0.292), floatElement(0x55D9, 1000), floatElement(0x55DA, 0.005)))
	dovi := element(idBlockAddMap, uintElement(idBlockAddType, 0x64767643), element(idBlockAddData, zeros(24)))
	video := func(more ...[]byte) []byte {
		return element(idVideo, uintElement(idPixelWidth, 720), uintElement(idPixelHeight, 576), uintElement(idDispWidth, 1024), uintElement(idDispHeight, 576), join(more...))
	}
	hlg := element(idColour, uintElement(idTransfer, 18))
	roll := element(idProjection, uintElement(idProjectionType, 0), floatElement(idProjectionRoll, -90))
	m := mkv{tracks: join(
		trackEntry(1, 1, "V_VP9", video(colour, roll), element(idCodecPriv, []byte{1, 1, 2, 3, 1, 10})),
		trackEntry(2, 1, "V_VP9", video(hlg)), trackEntry(3, 1, "V_VP9", video(), dovi), trackEntry(4, 0x20, "B_VOBBTN"),
		trackEntry(5, 2, "A_MPEG/L3", textElement(idLanguage, "ger"), textElement(idName, "Director's Commentary"), uintElement(idFlagDefault, 0)),
		trackEntry(6, 2, "A_PCM/INT/LIT", textElement(idLanguageBCP47, "pt-BR"), uintElement(idFlagCommentary, 1), element(idAudio, uintElement(idBitDepth, 24), floatElement(idSampleRate, 96000))),
		trackEntry(7, 17, "S_HDMV/PGS", textElement(idLanguage, "und"), uintElement(idFlagForced, 1)),
		trackEntry(8, 17, "S_TEXT/ASS", textElement(idName, "English SDH")),
		trackEntry(9, 17, "S_TEXT/UTF8", uintElement(idFlagHearing, 1), textElement(idLanguageBCP47, "cmn-Hans")))}
	atom := func(start, end uint64, title string, more ...[]byte) []byte {
		return element(idChapterAtom, uintElement(idChapterStart, start*1e9), uintElement(idChapterEnd, end*1e9), element(idChapterDisplay, textElement(idChapterString, title)), join(more...))
	}
	m.extra = join(element(idChapters,
		element(idEditionEntry, atom(0, 1, "of another edition")),
		element(idEditionEntry, uintElement(idEditionDefault, 1), atom(0, 4, "One"), atom(4, 0, "Two"), atom(5, 6, "hidden", uintElement(idChapterHidden, 1)), atom(6, 8, "Three"))),
		element(idAttachments, element(idAttachedFile, textElement(idFileMediaType, "font/ttf")), element(idAttachedFile, textElement(idFileMediaType, "image/jpeg"))))
	for second := range 8 {
		m.cluster(uint64(second*1000), 1, simple(idSimpleBlock, 1, 0, true, 0, []byte{0x82, 1}), simple(idSimpleBlock, 5, 0, true, 0, []byte{0xff, 0xfb, 0x90, 0}))
	}
	got, err := New(Config{}).Probe(t.Context(), input(m.bytes(8000)))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Video) != 4 || len(got.Audio) != 2 || len(got.Subtitles) != 3 {
		t.Fatalf("%+v", got)
	}
	v := got.Video
	if v[0].HDR != "hdr10" || v[0].BitDepth != 10 || v[0].CodecString != "vp09.02.21.10" && v[0].CodecString != "vp09.02.30.10" || v[0].Rotation != 90 || v[0].Width != 720 {
		t.Errorf("first picture %+v", v[0])
	}
	if v[1].HDR != "hlg" || v[2].HDR != "dolbyvision" || !v[3].AttachedPicture || v[3].Index != 9 || v[3].Codec != "mjpeg" {
		t.Errorf("other pictures %+v", v[1:])
	}
	a := got.Audio
	if a[0].Index != 3 || a[0].Language != "ger" || !a[0].Commentary || a[0].Default || a[0].Codec != "mp3" || a[0].SampleRate != 44100 {
		t.Errorf("first sound %+v", a[0])
	}
	if a[1].Language != "por" || !a[1].Commentary || a[1].Codec != "pcm_s24le" || a[1].SampleRate != 96000 || !a[1].Default {
		t.Errorf("second sound %+v", a[1])
	}
	s := got.Subtitles
	if s[0].Text || !s[0].Forced || s[0].Language != "" || !s[1].Text || !s[1].HearingImpaired || s[1].Language != "eng" || !s[2].HearingImpaired {
		t.Errorf("subtitles %+v", s)
	}
	want := []domain.Chapter{{Start: 0, End: 4, Title: "One"}, {Start: 4, End: 6, Title: "Two"}, {Start: 6, End: 8, Title: "Three"}}
	if !reflect.DeepEqual(got.Chapters, want) {
		t.Errorf("chapters %+v", got.Chapters)
	}
}

// deflated is text as Matroska's compressed tracks have it.
func deflated(s string) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

func TestMatroskaTextIsPlain(t *testing.T) {
	t.Parallel()
	packed := element(idContentEncodings, element(idContentEncoding, element(idCompression, uintElement(idCompAlgo, 0))))
	m := mkv{tracks: join(trackEntry(1, 1, "V_VP9", tiny), trackEntry(2, 17, "S_TEXT/ASS"), trackEntry(3, 17, "S_TEXT/UTF8", packed), trackEntry(4, 17, "S_TEXT/WEBVTT"), trackEntry(5, 17, "D_WEBVTT/SUBTITLES"))}
	text := func(number byte, offset int16, duration uint64, data []byte) []byte {
		return element(idBlockGroup, simple(idBlock, number, offset, true, 0, data), uintElement(idBlockDuration, duration))
	}
	m.cluster(0, 1, simple(idSimpleBlock, 1, 0, true, 0, []byte{0x82, 1}),
		text(2, 100, 900, []byte(`1,0,Default,,0,0,0,,{\an8\i1}Up{\i0}, there\Nand here`)), text(2, 200, 900, []byte(`2,0,Default,,0,0,0,,{\p1}m 0 0 l 1 1`)),
		text(3, 300, 500, deflated("<i>zipped</i> {\\an8}a < b\r\nline")), text(4, 400, 500, []byte("<v Bob>Tom &amp; <b>Jerry</b>")), text(5, 500, 500, []byte("id\nalign:start\nWebM")),
		text(2, 1500, 0, []byte(`3,0,Default,,0,0,0,,no end`)))
	m.cluster(3000, 1, simple(idSimpleBlock, 1, 0, true, 0, []byte{0x82, 1}), text(2, 0, 1000, []byte(`4,0,Default,,0,0,0,,last`)))
	in := input(m.bytes(4000))
	p := New(Config{})
	_, index, err := p.Index(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for track, want := range map[int][]media.Cue{
		1: {{Start: 0.1, End: 1, Text: "Up, there\nand here"}, {Start: 1.5, End: 3, Text: "no end"}, {Start: 3, End: 4, Text: "last"}},
		2: {{Start: 0.3, End: 0.8, Text: "zipped a < b\nline"}},
		3: {{Start: 0.4, End: 0.9, Text: "Tom & Jerry"}},
		4: {{Start: 0.5, End: 1, Text: "WebM"}},
	} {
		if got, err := p.Cues(t.Context(), in, index, track); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("track %d: %+v, %v", track, got, err)
		}
	}
}
