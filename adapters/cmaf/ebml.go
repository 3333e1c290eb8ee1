package cmaf

import (
	"math"
	"math/bits"
)

// Matroska element ids (RFC 9559).
const (
	idEBML, idDocType                                   = 0x1A45DFA3, 0x4282
	idSegment, idSeekHead, idSeek, idSeekID, idSeekPos  = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
	idInfo, idScale, idDuration                         = 0x1549A966, 0x2AD7B1, 0x4489
	idTracks, idTrackEntry, idCues, idChapters          = 0x1654AE6B, 0xAE, 0x1C53BB6B, 0x1043A770
	idTags, idAttachments, idCluster, idVoid, idCRC     = 0x1254C367, 0x1941A469, 0x1F43B675, 0xEC, 0xBF
	idTimestamp, idSimpleBlock, idBlockGroup, idBlock   = 0xE7, 0xA3, 0xA0, 0xA1
	idBlockDuration, idReferenceBlock                   = 0x9B, 0xFB
	idCuePoint, idCueTime, idCueTrackPositions          = 0xBB, 0xB3, 0xB7
	idCueTrack, idCueClusterPosition                    = 0xF7, 0xF1
	idEditionEntry, idEditionHidden, idEditionDefault   = 0x45B9, 0x45BD, 0x45DB
	idChapterAtom, idChapterStart, idChapterEnd         = 0xB6, 0x91, 0x92
	idChapterHidden, idChapterDisplay, idChapterString  = 0x98, 0x80, 0x85
	idAttachedFile, idFileMediaType, idEncryptedBlock   = 0x61A7, 0x4660, 0xAF
	idTrackNumber, idTrackType, idCodecID, idCodecPriv  = 0xD7, 0x83, 0x86, 0x63A2
	idFlagEnabled, idFlagDefault, idFlagForced          = 0xB9, 0x88, 0x55AA
	idFlagHearing, idFlagCommentary, idFlagOriginal     = 0x55AB, 0x55AF, 0x55AE
	idDefaultDuration, idCodecDelay, idName             = 0x23E383, 0x56AA, 0x536E
	idLanguage, idLanguageBCP47, idVideo, idAudio       = 0x22B59C, 0x22B59D, 0xE0, 0xE1
	idPixelWidth, idPixelHeight, idDispWidth            = 0xB0, 0xBA, 0x54B0
	idDispHeight, idDispUnit, idColour, idTransfer      = 0x54BA, 0x54B2, 0x55B0, 0x55BA
	idMatrixCoeff, idRange, idPrimaries                 = 0x55B1, 0x55B9, 0x55BB
	idMaxCLL, idMaxFALL, idMastering                    = 0x55BC, 0x55BD, 0x55D0
	idProjection, idProjectionType, idProjectionRoll    = 0x7670, 0x7671, 0x7675
	idSampleRate, idOutputRate, idChannels, idBitDepth  = 0xB5, 0x78B5, 0x9F, 0x6264
	idBlockAddMap, idBlockAddType, idBlockAddData       = 0x41E4, 0x41E7, 0x41ED
	idContentEncodings, idContentEncoding, idContScope  = 0x6D80, 0x6240, 0x5032
	idContentType, idCompression, idCompAlgo, idCompSet = 0x5033, 0x5034, 0x4254, 0x4255
)

// levelOne are the elements that end a cluster of unknown size.
func levelOne(id uint32) bool {
	switch id {
	case idCluster, idCues, idChapters, idTags, idAttachments, idSeekHead, idInfo, idTracks, idSegment, idEBML:
		return true
	}
	return false
}

const unknownSize = -1

// vint reads an EBML variable-size integer (RFC 8794, 4); keep leaves the length marker in, as ids have it. n is 0 for none.
func vint(b []byte, keep bool) (v uint64, n int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n = bits.LeadingZeros8(b[0]) + 1
	if n > len(b) {
		return 0, 0
	}
	v = uint64(b[0])
	if !keep {
		v &= 1<<(8-n) - 1
	}
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n
}

// elementHeader reads id and size; header is 0 where b holds none.
func elementHeader(b []byte) (id uint32, size int64, header int) {
	v, n := vint(b, true)
	if n == 0 || n > 4 {
		return 0, 0, 0
	}
	s, m := vint(b[n:], false)
	if m == 0 {
		return 0, 0, 0
	}
	if s == 1<<(7*m)-1 {
		return uint32(v), unknownSize, n + m
	}
	return uint32(v), int64(s), n + m
}

// eachElement visits the children in b. Void and checksums are passed over; a child that leaves b is damage.
func eachElement(b []byte, visit func(id uint32, body []byte) error) error {
	for len(b) > 0 {
		id, size, header := elementHeader(b)
		if header == 0 {
			return damaged("an element without id")
		}
		b = b[header:]
		if size == unknownSize {
			size = int64(len(b))
		}
		if size > int64(len(b)) {
			return damaged("element %X claims %d bytes of %d", id, size, len(b))
		}
		if id != idVoid && id != idCRC {
			if err := visit(id, b[:size]); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	return nil
}

func ebmlUint(b []byte) uint64 {
	var v uint64
	for _, c := range b[:min(len(b), 8)] {
		v = v<<8 | uint64(c)
	}
	return v
}

// ebmlInt is ebmlUint for what must be a reasonable non-negative number.
func ebmlInt(b []byte) int { return int(min(ebmlUint(b), math.MaxInt32)) }

func ebmlFloat(b []byte) float64 {
	var v float64
	switch len(b) {
	case 4:
		v = float64(math.Float32frombits(at32(b, 0)))
	case 8:
		v = math.Float64frombits(at64(b, 0))
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
