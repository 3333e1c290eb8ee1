package naming

import (
	"path"
	"regexp"
	"strings"
)

// videoExtensions as Jellyfin and Kodi have them; .disc stands for a film on a shelf.
var videoExtensions = set("mkv mk3d mp4 m4v mov avi divx wmv asf flv f4v webm ogv ogm mpg mpeg mpe m2v mpv m2ts mts ts trp tp wtv rec vob 3gp 3g2 rm rmvb dvr-ms nuv iso img ifo bdmv disc strm nsv evo")

var otherExtensions = set("nfo srt sub idx ass ssa vtt sup smi mks txt jpg jpeg png gif webp tbn bmp avif mp3 flac wav m4a aac ogg opus mka wma ac3 dts db ini url html xml json zip rar 7z par2 sfv torrent otrkey part partial exe doc pdf md5")

var audioExtensions = set("mp3 flac wav m4a aac ogg opus wma ac3 dts mka")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		m[word] = true
	}
	return m
}

// IsVideo tells by a file name's extension whether a library takes it for a video.
func IsVideo(name string) bool {
	return videoExtensions[extensionOf(name)]
}

// extensionOf is a known extension of name, lower case and without its dot, or "".
func extensionOf(name string) string {
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))
	if videoExtensions[ext] || otherExtensions[ext] {
		return ext
	}
	return ""
}

// stem is name without a known extension.
func stem(name string) string {
	if ext := extensionOf(name); ext != "" {
		return name[:len(name)-len(ext)-1]
	}
	return name
}

var (
	ignoredNames    = set("@eadir @recycle #recycle #snapshot .@__thumb .appledouble .ds_store .trash .trashes .spotlight-v100 .fseventsd .temporaryitems .documentrevisions-v100 .snapshot .snapshots .zfs .git .svn .cache .thumbnails .actors .recycle .recyclebin $recycle.bin lost+found thumbs.db desktop.ini albumart.jpg small.jpg extrafanart extrathumbs metadata __macosx .nomedia .stfolder .stversions .sync .dropbox.cache .plexmatch .grab")
	ignoredEndings  = set(".partial .partial~ .!qb .!ut .crdownload .part .tmp .bts")
	ignoredPrefixes = regexp.MustCompile(`(?i)^(?:\._|_unpack_|_failed_|_unpacking|\.unmanic|\.trash-|\.nfs|\.smbdelete|\.syncthing\.|~\$|\.~)`)
)

// IgnoredName tells whether a scan never enters a folder or file of this name: what systems, recycle bins,
// downloaders and transcoders leave behind. A name that only begins with a dot may be a film (".hack").
func IgnoredName(name string) bool {
	lower := strings.ToLower(strings.TrimSpace(name))
	return ignoredNames[lower] || lower != "" && strings.IndexByte("._~", lower[0]) >= 0 && ignoredPrefixes.MatchString(lower) ||
		ignoredEndings[lower[max(0, strings.LastIndexByte(lower, '.')):]] || lower == "plex versions" || lower == "optimized for tv"
}

// ignoredAt tells whether the folder or file at an index is left out where it stands: a hidden folder inside a
// film's folder is, a film's folder that begins with a dot is not.
func ignoredAt(components []string, at int) bool {
	name := components[at]
	if IgnoredName(name) {
		return true
	}
	if !strings.HasPrefix(name, ".") || len(name) < 2 || name[1] == '.' || name[1] == ' ' {
		return false
	}
	if at == len(components)-1 {
		return at > 0 && IsVideo(name)
	}
	return at > 0 && !isLibraryRoot(components[at-1])
}
