package ffmpeg

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/media"
)

// knownDemuxers are the containers that films come in. Everything else that FFmpeg could open is refused, above all what names other
// files or addresses: hls, dash, concat, sdp, rtsp, image2, lavfi, tedcaptions, playlists of any kind.
const knownDemuxers = "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,avi,mpegts,mpeg,mpegvideo,asf,flv,live_flv,ogg,rm,wtv,mxf,nut,nsv,dv,ivf,gxf,h264,hevc,m4v,vc1,obu,av1"

// playlistMarks begin files that point elsewhere (M3U, HLS, ffconcat, PLS, ASX, QuickTime links, SDP, SMIL, DASH, XSPF, Windows Media references).
var playlistMarks = []string{"#extm3u", "ffconcat", "[playlist]", "<asx", "[reference]", "rtsptext", "v=0\n", "v=0\r", "<smil", "<mpd", "<playlist", "<?xml", "<?quicktime",
	"#!", "http://", "https://", "rtsp://", "rtmp://", "mms://", "file:", "concat:", "subfile,", "#extinf"}

// check refuses an input before any program sees it and returns how it is named on a command line.
func check(in media.Input) (string, error) {
	if !filepath.IsAbs(in.Path) || strings.ContainsRune(in.Path, 0) {
		return "", fault.New(fault.Internal, media.CodeToolFailed, "FFmpeg is given absolute paths only.")
	}
	if in.Size == 0 {
		return "", fault.New(fault.Invalid, media.CodeEmpty, "The file is empty. Copy it again.")
	}
	if in.Reader != nil {
		head := make([]byte, 512)
		n, _ := in.Reader.ReadAt(head, 0)
		text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf")), " \t\r\n"))
		for _, mark := range playlistMarks {
			if bytes.HasPrefix(text, []byte(mark)) {
				return "", refused(nil)
			}
		}
	}
	return "file:" + in.Path, nil
}

func refused(cause error) error {
	return fault.Wrap(cause, fault.Invalid, media.CodeRefused, "This is a playlist or a link and no film, whatever its name says. It is not followed; put the film itself into the library.")
}

// reading are the options before every input file.
func reading(input string) []string {
	return []string{"-protocol_whitelist", "file,pipe", "-format_whitelist", knownDemuxers, "-i", input}
}

// quiet are the options with which every ffmpeg begins.
func quiet() []string { return []string{"-hide_banner", "-nostdin", "-v", "error"} }

// signatures begin the containers that are common enough to tell "cut short" from "something else".
var signatures = []string{"\x1a\x45\xdf\xa3", "RIFF", "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "FLV\x01", "OggS", ".RMF", "\x00\x00\x01\xba"}

// hasSignature tells whether the file begins as a film does.
func hasSignature(in media.Input) bool {
	head := make([]byte, 200)
	if in.Reader != nil {
		n, _ := in.Reader.ReadAt(head, 0)
		head = head[:n]
	}
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s)) {
			return true
		}
	}
	return len(head) >= 189 && (bytes.Equal(head[4:8], []byte("ftyp")) || head[0] == 0x47 && head[188] == 0x47)
}

// fileFault reads from stderr what is wrong with the file; nil when it says nothing about it.
func fileFault(in media.Input, stderr string, cause error) error {
	says := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(stderr, p) {
				return true
			}
		}
		return false
	}
	switch {
	case says("Format not on whitelist", "not on whitelist"):
		return fault.Wrap(cause, fault.Invalid, media.CodeUnknownContainer, "This is not a container that films come in. Convert it to Matroska or MP4.")
	case says("moov atom not found") || says("End of file", "File ended prematurely", "Invalid data found") && hasSignature(in):
		return fault.Wrap(cause, fault.Invalid, media.CodeTruncated, "The file ends too early: it is damaged or still being copied.")
	case says("Invalid data found when processing input", "End of file", "misdetection possible"):
		return fault.Wrap(cause, fault.Invalid, media.CodeUnknownContainer, "FFmpeg does not recognise this file as a film. It is damaged, or of another kind than its name says.")
	}
	return nil
}

func decimal(seconds float64) string { return strconv.FormatFloat(seconds, 'f', 6, 64) }
