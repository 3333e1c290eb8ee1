package cmaf

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/media"
)

// maxTable bounds Tracks, Cues and the like: the Cues of ten hours of all-intra video take about 20 MB.
const maxTable = 64 << 20

// mkvTrack is a TrackEntry as read.
type mkvTrack struct {
	number                                     uint64
	kind                                       int
	codecID                                    string
	private                                    []byte
	enabled, isDefault, forced                 bool
	hearing, commentary                        bool
	frameNs, delayNs                           int64
	name, language, bcp47                      string
	width, height, dispWidth, dispHeight, unit int
	colour                                     [4]int // primaries, transfer, matrix, range
	hasColour, mastering                       bool
	maxCLL, maxFALL                            int
	masteringValues                            [10]float64
	dovi                                       []byte // dvcC or dvvC box
	rotation                                   int
	rate, outputRate                           float64
	channels, bitDepth                         int
	strip                                      []byte
	zlib, opaque                               bool // opaque: compressed or encrypted in a way that is not undone
	described                                  described
	firstPacket                                []byte
	firstNs                                    int64
	lastNs                                     int64
	seen                                       int
}

// mkvFile is the head of a Matroska file.
type mkvFile struct {
	w         *window
	docType   string
	data, end int64 // of the segment's content
	scale     int64
	duration  float64 // ticks
	tracks    []*mkvTrack
	cues      []mkvCue
	chapters  []domain.Chapter
	covers    []string // codecs
	cluster   int64    // the first
	read      map[uint32]bool
	seeks     []seek
}

type mkvCue struct {
	key
	track uint64
}

type seek struct {
	id  uint32
	pos int64
}

func looksLikeMatroska(head []byte) bool { return at32(head, 0) == idEBML }

func readMatroska(ctx context.Context, in media.Input) (*mkvFile, error) {
	f := &mkvFile{w: newWindow(ctx, in.Reader, in.Size, peekWindow), scale: 1e6, read: map[uint32]bool{}, cluster: -1}
	head, err := f.w.upTo(0, 4096)
	if err != nil {
		return nil, err
	}
	_, size, n := elementHeader(head)
	if n == 0 || size < 0 || size > 1<<16 {
		return nil, unknownContainer()
	}
	ebml, err := f.w.load(int64(n), size, 1<<16)
	if err != nil {
		return nil, err
	}
	if err := eachElement(ebml, func(id uint32, b []byte) error {
		if id == idDocType {
			f.docType = cleanText(b)
		}
		return nil
	}); err != nil {
		return nil, unknownContainer()
	}
	if f.docType != "matroska" && f.docType != "webm" {
		return nil, unknownContainer()
	}
	if err := f.findSegment(int64(n) + size); err != nil {
		return nil, err
	}
	if err := f.readHead(); err != nil {
		return nil, err
	}
	if len(f.tracks) == 0 {
		return nil, damaged("it declares no tracks")
	}
	return f, nil
}

// element reads the header at pos.
func (f *mkvFile) element(pos int64) (id uint32, size int64, header int, err error) {
	b, err := f.w.upTo(pos, 12)
	if err != nil {
		return 0, 0, 0, err
	}
	if id, size, header = elementHeader(b); header == 0 {
		if len(b) < 12 {
			return 0, 0, 0, truncated("an element at %d is incomplete", pos)
		}
		return 0, 0, 0, damaged("no element at %d", pos)
	}
	return id, size, header, nil
}

func (f *mkvFile) findSegment(pos int64) error {
	for pos < f.w.size {
		id, size, header, err := f.element(pos)
		if err != nil {
			return err
		}
		if id == idSegment {
			f.data, f.end = pos+int64(header), f.w.size
			if size != unknownSize {
				if f.end = f.data + size; size > f.w.size-f.data {
					return truncated("the segment has %d of %d bytes", f.w.size-f.data, size)
				}
			}
			return nil
		}
		if size == unknownSize || size > f.w.size-pos {
			return damaged("element %X at %d", id, pos)
		}
		pos += int64(header) + size
	}
	return truncated("its segment is missing")
}

// readHead reads what lies before the first cluster, then what SeekHead says lies behind the clusters.
func (f *mkvFile) readHead() error {
	for pos := f.data; pos < f.end; {
		id, size, header, err := f.element(pos)
		if err != nil {
			return err
		}
		if id == idCluster {
			f.cluster = pos
			break
		}
		if size == unknownSize || size > f.end-pos-int64(header) {
			if f.w.size == f.end {
				return truncated("element %X at %d has not all of its %d bytes", id, pos, size)
			}
			return damaged("element %X at %d claims %d bytes", id, pos, size)
		}
		if err := f.readTable(id, pos+int64(header), size); err != nil {
			return err
		}
		pos += int64(header) + size
	}
	for i := 0; i < len(f.seeks) && i < 64; i++ { // a SeekHead found on the way adds its own entries
		s := f.seeks[i]
		if f.read[s.id] || s.pos < f.data || s.pos >= f.end {
			continue
		}
		id, size, header, err := f.element(s.pos)
		if err != nil || id != s.id || size == unknownSize || size > f.end-s.pos-int64(header) {
			continue // a stale entry: what it promised is looked for by the walk, or done without
		}
		if err := f.readTable(id, s.pos+int64(header), size); err != nil {
			return err
		}
	}
	return nil
}

func (f *mkvFile) readTable(id uint32, pos, size int64) error {
	var read func(b []byte) error
	switch id {
	case idSeekHead:
		read = f.readSeekHead
	case idInfo:
		read = f.readInfo
	case idTracks:
		read = f.readTracks
	case idCues:
		read = f.readCues
	case idChapters:
		read = f.readChapters
	case idAttachments:
		return f.readAttachments(pos, pos+size)
	default:
		return nil
	}
	if f.read[id] && id != idSeekHead {
		return nil
	}
	f.read[id] = true
	b, err := f.w.load(pos, size, maxTable)
	if err != nil {
		return err
	}
	return read(b)
}

func (f *mkvFile) readSeekHead(b []byte) error {
	return eachElement(b, func(id uint32, b []byte) error {
		if id != idSeek || len(f.seeks) >= 64 {
			return nil
		}
		var s seek
		err := eachElement(b, func(id uint32, b []byte) error {
			switch id {
			case idSeekID:
				s.id = uint32(ebmlUint(b))
			case idSeekPos:
				s.pos = f.data + int64(min(ebmlUint(b), math.MaxInt64/2))
			}
			return nil
		})
		f.seeks = append(f.seeks, s)
		return err
	})
}

func (f *mkvFile) readInfo(b []byte) error {
	return eachElement(b, func(id uint32, b []byte) error {
		switch id {
		case idScale:
			if v := ebmlUint(b); v > 0 && v <= 1e9 {
				f.scale = int64(v)
			}
		case idDuration:
			f.duration = min(max(0, ebmlFloat(b)), maxTicks)
		}
		return nil
	})
}

func (f *mkvFile) readTracks(b []byte) error {
	return eachElement(b, func(id uint32, b []byte) error {
		if id != idTrackEntry {
			return nil
		}
		if len(f.tracks) >= maxTracks {
			return damaged("more than %d tracks", maxTracks)
		}
		t := &mkvTrack{enabled: true, isDefault: true, language: "eng", channels: 1, rate: 8000, colour: [4]int{2, 2, 2, 0}}
		if err := t.read(b); err != nil {
			return err
		}
		switch t.kind {
		case 1, 2, 17, 33: // picture, sound, subtitle, metadata: the ones that ffmpeg counts
			if t.codecID != "" {
				f.tracks = append(f.tracks, t)
			}
		}
		return nil
	})
}

func (t *mkvTrack) read(b []byte) error {
	return eachElement(b, func(id uint32, b []byte) error {
		switch id {
		case idTrackNumber:
			t.number = ebmlUint(b)
		case idTrackType:
			t.kind = ebmlInt(b)
		case idCodecID:
			t.codecID = cleanText(b)
		case idCodecPriv:
			t.private = b
		case idFlagEnabled:
			t.enabled = ebmlUint(b) == 1
		case idFlagDefault:
			t.isDefault = ebmlUint(b) == 1
		case idFlagForced:
			t.forced = ebmlUint(b) == 1
		case idFlagHearing:
			t.hearing = ebmlUint(b) == 1
		case idFlagCommentary:
			t.commentary = ebmlUint(b) == 1
		case idDefaultDuration:
			t.frameNs = int64(min(ebmlUint(b), 1e12))
		case idCodecDelay:
			t.delayNs = int64(min(ebmlUint(b), 1e11))
		case idName:
			t.name = cleanText(b)
		case idLanguage:
			t.language = cleanText(b)
		case idLanguageBCP47:
			t.bcp47 = cleanText(b)
		case idVideo:
			return eachElement(b, t.readVideo)
		case idAudio:
			return eachElement(b, func(id uint32, b []byte) error {
				switch id {
				case idSampleRate:
					t.rate = ebmlFloat(b)
				case idOutputRate:
					t.outputRate = ebmlFloat(b)
				case idChannels:
					t.channels = ebmlInt(b)
				case idBitDepth:
					t.bitDepth = ebmlInt(b)
				}
				return nil
			})
		case idBlockAddMap:
			var kind uint64
			var data []byte
			err := eachElement(b, func(id uint32, b []byte) error {
				switch id {
				case idBlockAddType:
					kind = ebmlUint(b)
				case idBlockAddData:
					data = b
				}
				return nil
			})
			if kind == 0x64766343 || kind == 0x64767643 || kind == 0x64767743 { // dvcC, dvvC, dvwC
				t.dovi = box(string(u32(uint32(kind))), data)
			}
			return err
		case idContentEncodings:
			return eachElement(b, func(id uint32, b []byte) error {
				if id != idContentEncoding {
					return nil
				}
				return t.readEncoding(b)
			})
		}
		return nil
	})
}

func (t *mkvTrack) readVideo(id uint32, b []byte) error {
	switch id {
	case idPixelWidth:
		t.width = min(ebmlInt(b), 1<<16-1)
	case idPixelHeight:
		t.height = min(ebmlInt(b), 1<<16-1)
	case idDispWidth:
		t.dispWidth = ebmlInt(b)
	case idDispHeight:
		t.dispHeight = ebmlInt(b)
	case idDispUnit:
		t.unit = ebmlInt(b)
	case idColour:
		t.hasColour = true
		return eachElement(b, func(id uint32, b []byte) error {
			switch id {
			case idPrimaries:
				t.colour[0] = ebmlInt(b)
			case idTransfer:
				t.colour[1] = ebmlInt(b)
			case idMatrixCoeff:
				t.colour[2] = ebmlInt(b)
			case idRange:
				t.colour[3] = b2i(ebmlUint(b) == 2)
			case idMaxCLL:
				t.maxCLL = ebmlInt(b)
			case idMaxFALL:
				t.maxFALL = ebmlInt(b)
			case idMastering:
				t.mastering = true
				return eachElement(b, func(id uint32, b []byte) error {
					if i := int(id) - 0x55D1; i >= 0 && i < 10 {
						t.masteringValues[i] = ebmlFloat(b)
					}
					return nil
				})
			}
			return nil
		})
	case idProjection:
		var kind uint64
		var roll float64
		err := eachElement(b, func(id uint32, b []byte) error {
			switch id {
			case idProjectionType:
				kind = ebmlUint(b)
			case idProjectionRoll:
				roll = ebmlFloat(b)
			}
			return nil
		})
		if kind == 0 && math.Abs(roll) <= 360 { // counter-clockwise there, clockwise here
			t.rotation = (int(math.Round(-roll)) + 720) % 360
		}
		return err
	}
	return nil
}

func (t *mkvTrack) readEncoding(b []byte) error {
	scope, kind, algo, settings := uint64(1), uint64(0), uint64(0), []byte(nil)
	err := eachElement(b, func(id uint32, b []byte) error {
		switch id {
		case idContScope:
			scope = ebmlUint(b)
		case idContentType:
			kind = ebmlUint(b)
		case idCompression:
			return eachElement(b, func(id uint32, b []byte) error {
				switch id {
				case idCompAlgo:
					algo = ebmlUint(b)
				case idCompSet:
					settings = b
				}
				return nil
			})
		}
		return nil
	})
	switch {
	case scope&1 == 0:
		t.opaque = t.opaque || scope != 0
	case kind == 0 && algo == 3 && t.strip == nil && !t.zlib:
		t.strip = settings
	case kind == 0 && algo == 0 && t.strip == nil && !t.zlib:
		t.zlib = true
	default:
		t.opaque = true
	}
	return err
}

// readCues collects positions of all tracks; a position outside the segment is left out.
func (f *mkvFile) readCues(b []byte) error {
	return eachElement(b, func(id uint32, b []byte) error {
		if id != idCuePoint {
			return nil
		}
		var c mkvCue
		return eachElement(b, func(id uint32, b []byte) error {
			switch id {
			case idCueTime:
				c.time = int64(min(ebmlUint(b), math.MaxInt64/2))
			case idCueTrackPositions:
				c.track, c.pos = 0, -1
				err := eachElement(b, func(id uint32, b []byte) error {
					switch id {
					case idCueTrack:
						c.track = ebmlUint(b)
					case idCueClusterPosition:
						c.pos = int64(min(ebmlUint(b), math.MaxInt64/2))
					}
					return nil
				})
				if c.pos >= 0 && c.pos < f.end-f.data {
					c.pos += f.data
					f.cues = append(f.cues, c)
				}
				return err
			}
			return nil
		})
	})
}

// readChapters takes the default edition, else the first shown one; its top level only, without hidden chapters.
func (f *mkvFile) readChapters(b []byte) error {
	best, bestRank := []domain.Chapter(nil), -1
	err := eachElement(b, func(id uint32, b []byte) error {
		if id != idEditionEntry {
			return nil
		}
		rank := 1
		var chapters []domain.Chapter
		err := eachElement(b, func(id uint32, b []byte) error {
			switch id {
			case idEditionHidden:
				rank -= ebmlInt(b)
			case idEditionDefault:
				rank += ebmlInt(b)
			case idChapterAtom:
				var c domain.Chapter
				hidden := false
				err := eachElement(b, func(id uint32, b []byte) error {
					switch id {
					case idChapterStart:
						c.Start = float64(ebmlUint(b)) / 1e9
					case idChapterEnd:
						c.End = float64(ebmlUint(b)) / 1e9
					case idChapterHidden:
						hidden = ebmlUint(b) == 1
					case idChapterDisplay:
						return eachElement(b, func(id uint32, b []byte) error {
							if id == idChapterString && c.Title == "" {
								c.Title = cleanText(b)
							}
							return nil
						})
					}
					return nil
				})
				if !hidden {
					chapters = append(chapters, c)
				}
				return err
			}
			return nil
		})
		if rank > bestRank {
			best, bestRank = chapters, rank
		}
		return err
	})
	f.chapters = best
	return err
}

// readAttachments reads only the media types: covers are pictures, and every attachment counts as a track.
func (f *mkvFile) readAttachments(pos, end int64) error {
	if f.read[idAttachments] {
		return nil
	}
	f.read[idAttachments] = true
	for pos < end && len(f.covers) < 1024 {
		id, size, header, err := f.element(pos)
		if err != nil {
			return err
		}
		body := pos + int64(header)
		if size == unknownSize || size > end-body {
			return damaged("an attachment of %d bytes", size)
		}
		if id == idAttachedFile {
			codec := ""
			for p := body; p < body+size; {
				id, n, header, err := f.element(p)
				if err != nil {
					return err
				}
				if p += int64(header); n == unknownSize || n > body+size-p {
					return damaged("an attachment's element of %d bytes", n)
				}
				if id == idFileMediaType && n < 256 {
					b, err := f.w.bytes(p, int(n))
					if err != nil {
						return err
					}
					codec = map[string]string{"image/jpeg": "mjpeg", "image/jpg": "mjpeg", "image/png": "png", "image/gif": "gif", "image/bmp": "bmp", "image/webp": "webp", "image/tiff": "tiff"}[strings.ToLower(cleanText(b))]
				}
				p += n
			}
			f.covers = append(f.covers, codec)
		}
		pos = body + size
	}
	return nil
}

func (t *mkvTrack) languageB() string {
	if t.bcp47 != "" {
		return languageB(t.bcp47)
	}
	return languageB(t.language)
}

func (f *mkvFile) track(number uint64) *mkvTrack {
	i := slices.IndexFunc(f.tracks, func(t *mkvTrack) bool { return t.number == number })
	if i < 0 {
		return nil
	}
	return f.tracks[i]
}
