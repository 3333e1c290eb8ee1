package cmaf

import (
	"io"
	"math"
	"slices"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/revenge-media/revenge/core/fault"
)

// initSegment writes ftyp and moov of one track (ISO/IEC 23000-19, 7.3.1), which has the id 1.
func initSegment(t *track) []byte {
	matrix := t.matrix
	if len(matrix) != 36 {
		matrix = identity
	}
	volume, handler, name, header := uint16(0x100), "soun", "Sound", fullBox("smhd", 0, 0, zeros(4))
	if t.kind == kindVideo {
		volume, handler, name, header = 0, "vide", "Pictures", fullBox("vmhd", 0, 1, zeros(8))
	}
	var edits []byte
	if t.edit > 0 {
		edits = box("edts", fullBox("elst", 1, 0, u32(1), u64(0), u64(uint64(t.edit)), u32(1<<16)))
	}
	language := t.language
	if len(language) != 3 {
		language = "und"
	}
	packed := uint16(language[0]-0x60)&31<<10 | uint16(language[1]-0x60)&31<<5 | uint16(language[2]-0x60)&31
	trak := box("trak",
		fullBox("tkhd", 0, 3, zeros(8), u32(1), zeros(4), zeros(4), zeros(8), u16(0), u16(0), u16(volume), zeros(2), matrix, u32(t.width), u32(t.height)),
		edits,
		box("mdia",
			fullBox("mdhd", 0, 0, zeros(8), u32(t.timescale), u32(0), u16(packed), u16(0)),
			fullBox("hdlr", 0, 0, zeros(4), []byte(handler), zeros(12), []byte(name), u8(0)),
			box("minf", header,
				box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1))),
				box("stbl", fullBox("stsd", 0, 0, u32(1), t.entry), fullBox("stts", 0, 0, u32(0)), fullBox("stsc", 0, 0, u32(0)),
					fullBox("stsz", 0, 0, zeros(8)), fullBox("stco", 0, 0, u32(0))))))
	return slices.Concat(
		box("ftyp", []byte("iso6"), u32(1), []byte("iso6"), []byte("cmfc"), []byte("mp41")),
		box("moov",
			fullBox("mvhd", 0, 0, zeros(8), u32(1000), u32(0), u32(1<<16), u16(0x100), zeros(10), identity, zeros(24), u32(2)),
			trak,
			box("mvex", fullBox("trex", 0, 0, u32(1), u32(1), zeros(12)))))
}

// writeFragment writes a media segment up to its payload: styp, moof and the header of mdat.
func writeFragment(w io.Writer, sequence int, start int64, samples []sample) error {
	size := int64(0)
	run := &mp4.TrunBox{Version: 1, Flags: mp4.TrunDataOffsetPresentFlag | mp4.TrunSampleDurationPresentFlag | mp4.TrunSampleSizePresentFlag, Samples: make([]mp4.Sample, len(samples))}
	const sync, delta = 0x02000000, 0x01010000
	defaultFlags := uint32(sync)
	for i, s := range samples {
		flags := uint32(sync)
		if !s.sync {
			flags = delta
		}
		if i == 0 {
			defaultFlags = flags
		}
		if flags != defaultFlags {
			run.Flags |= mp4.TrunSampleFlagsPresentFlag
		}
		if s.cto != 0 {
			run.Flags |= mp4.TrunSampleCompositionTimeOffsetPresentFlag
		}
		run.Samples[i] = mp4.NewSample(flags, s.dur, s.size, s.cto)
		size += int64(s.size)
	}
	moof := &mp4.MoofBox{}
	traf := &mp4.TrafBox{}
	header := &mp4.TfhdBox{Flags: 0x020000 | 0x20, TrackID: 1, DefaultSampleFlags: defaultFlags}
	for _, add := range []func() error{
		func() error { return moof.AddChild(mp4.CreateMfhd(uint32(sequence))) },
		func() error { return traf.AddChild(header) },
		func() error { return traf.AddChild(mp4.CreateTfdt(uint64(start))) },
		func() error { return traf.AddChild(run) },
		func() error { return moof.AddChild(traf) },
	} {
		if err := add(); err != nil {
			return fault.Wrap(err, fault.Internal, "media.write_failed", "The segment could not be written.")
		}
	}
	mdatHeader := int64(8)
	if size+8 > math.MaxUint32 {
		mdatHeader = 16
	}
	run.DataOffset = int32(int64(moof.Size()) + mdatHeader)
	if err := writeAll(w, box("styp", []byte("msdh"), u32(0), []byte("msdh"), []byte("msix"), []byte("cmfs"))); err != nil {
		return err
	}
	if err := moof.Encode(w); err != nil {
		return err
	}
	if mdatHeader == 16 {
		return writeAll(w, slices.Concat(u32(1), []byte("mdat"), u64(uint64(size+16))))
	}
	return writeAll(w, slices.Concat(u32(uint32(size+8)), []byte("mdat")))
}
