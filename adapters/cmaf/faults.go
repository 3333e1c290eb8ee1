package cmaf

import (
	"errors"
	"io"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

func damaged(what string, args ...any) error {
	e := fault.New(fault.Invalid, media.CodeDamaged, what, args...)
	e.Message = "The file contradicts itself (" + e.Message + "). Replace it with a good copy, or repair it by remuxing."
	return e
}

func truncated(what string, args ...any) error {
	e := fault.New(fault.Invalid, media.CodeTruncated, what, args...)
	e.Message = "The file ends too early (" + e.Message + "). Wait until it is copied completely, or replace it."
	return e
}

func unknownContainer() error {
	return fault.New(fault.Invalid, media.CodeUnknownContainer, "The bytes are neither MP4 nor Matroska.")
}

func noSegment(what string, args ...any) error {
	return fault.New(fault.NotFound, media.CodeNoSegment, what, args...)
}

// staleIndex is the answer to bytes that are no index of this version for this file.
func staleIndex() error {
	return fault.New(fault.Invalid, media.CodeDamaged, "The index was made by another version or for another file. Probe the file again.")
}

// readFault turns the error of a read into a fault; an end before the file's stated size means that the file shrank.
func readFault(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return truncated("it is shorter than it was when opened")
	}
	if fault.As(err) != nil {
		return err
	}
	return fault.Wrap(err, fault.Internal, "media.read_failed", "The file could not be read. Check the disk or the network share.")
}
