package naming

import (
	"regexp"
	"strings"
)

// kind says which field of a Name a tag fills.
type kind uint8

const (
	tagOther kind = iota
	tagSource
	tagResolution
	tagCodec
	tagAudio
	tagEdition
	tagLanguage
	tagProper
	tagRemux
	tagHDR
	tag3D
	tagEpisode
	tagContainer
)

// strength says what a tag may do to the title before it.
type strength uint8

const (
	weak    strength = iota // a word of titles too: a tag only behind the title's end
	shouted                 // taken off a title's end when written as tags are
	loose                   // taken off a title's end
	strong                  // ends the title wherever it stands
)

// tag is one meaning found in a name: tokens [from, to).
type tag struct {
	kind     kind
	value    string
	strength strength
	from, to int
	source   string // a source glued to a resolution: BD1080p
}

// phrases maps words, joined by single blanks, to their meaning.
var phrases = map[string]tag{}

// vocabulary are the values of each kind of tag.
var vocabulary = map[kind]map[string]bool{}

const longestPhrase = 4

func learn(k kind, value string, s strength, words string) {
	if vocabulary[k] == nil {
		vocabulary[k] = map[string]bool{}
	}
	vocabulary[k][value] = true
	for phrase := range strings.SplitSeq(words, "|") {
		phrase = strings.TrimSpace(phrase)
		if known, twice := phrases[phrase]; twice && known != (tag{kind: k, value: value, strength: s}) {
			panic("naming: two meanings of " + phrase)
		}
		phrases[phrase] = tag{kind: k, value: value, strength: s}
	}
}

func init() {
	learnSources()
	learnEditions()
	learnLanguages()

	learn(tagResolution, "2160p", strong, "4k|uhd|ultrahd|ultra hd|4kuhd|uhd4k|4khd")
	learn(tagResolution, "4320p", strong, "8k|8kuhd")
	learn(tagResolution, "1080p", loose, "fhd|fullhd|full hd|4kto1080p")
	learn(tagResolution, "1440p", loose, "qhd|wqhd")
	learn(tagResolution, "720", weak, "720")
	learn(tagResolution, "1080", weak, "1080")
	learn(tagResolution, "2160", weak, "2160")
	learn(tagResolution, "pal", shouted, "pal")
	learn(tagResolution, "ntsc", shouted, "ntsc")

	learn(tagCodec, "h264", strong, "x264|h264|h 264|x 264|avc|h264avc|x264hd|hi10|hi10p")
	learn(tagCodec, "h265", strong, "x265|h265|h 265|x 265|hevc|hevc10|hevc10bit|x265hevc")
	learn(tagCodec, "h266", strong, "x266|h266|h 266|vvc")
	learn(tagCodec, "xvid", strong, "xvid|xvidhd|xvid hd")
	learn(tagCodec, "divx", strong, "divx|dvdivx|divx5|divx6|divxnl")
	learn(tagCodec, "av1", strong, "av1")
	learn(tagCodec, "vp9", strong, "vp9")
	learn(tagCodec, "vp8", strong, "vp8")
	learn(tagCodec, "vc1", strong, "vc1|vc 1")
	learn(tagCodec, "mpeg2", strong, "mpeg2|mpeg 2|m2v")
	learn(tagCodec, "mpeg4", loose, "mpeg4|mpeg 4")
	learn(tagCodec, "wmv", weak, "wmv")
	learn(tagCodec, "realvideo", weak, "rv10|rv20|rv40")

	learn(tagAudio, "", strong, "dts hd|dts x|dts es|dts ma|he aac|lc aac|dolby digital|dolby atmos|dolby truehd|e ac3|dts hdma|dts hd ma")
	learn(tagAudio, "", weak, "5 1|7 1|2 0|1 0|6 1|2 1|atmos|opus|vorbis|ogg|mp3|pcm|lpcm|dd|ddp|thd|dub|ma|hra|ex|stereo|mono|audio|multi audio|commentary|lame")

	learn(tagProper, "", shouted, "proper|real|rerip")
	learn(tagProper, "", loose, "repack")
	learn(tagProper, "", loose, "real proper|proper repack|repack proper")
	learn(tagRemux, "", strong, "remux|bdremux|hybrid remux|uhdremux|uhd remux|uhdbdremux|bluray remux|blu ray remux")
	learn(tagRemux, "dvd", strong, "dvdremux|dvd remux")
	learn(tagHDR, "HDR", loose, "hdr")
	learn(tagHDR, "HDR10", strong, "hdr10")
	learn(tagHDR, "HDR10+", strong, "hdr10plus|hdr10p")
	learn(tagHDR, "DV", strong, "dovi|dolby vision|dolbyvision|dvhdr")
	learn(tagHDR, "DV", weak, "dv")
	learn(tagHDR, "HLG", weak, "hlg")
	learn(tag3D, "hsbs", loose, "hsbs|h sbs|half sbs|halfsbs")
	learn(tag3D, "sbs", loose, "fsbs|full sbs|fullsbs")
	learn(tag3D, "sbs", weak, "sbs")
	learn(tag3D, "sbs3d", strong, "sbs3d")
	learn(tag3D, "htab", loose, "htab|h tab")
	learn(tag3D, "tab", loose, "ftab")
	learn(tag3D, "tab", weak, "tab")
	learn(tag3D, "hou", loose, "hou|half ou|halfou|h ou")
	learn(tag3D, "ou", loose, "full ou|fullou")
	learn(tag3D, "mvc", weak, "mvc")
	learn(tag3D, "3d", loose, "3d|bd3d")

	learn(tagContainer, "", strong, "mkv|mp4")
	learn(tagContainer, "", weak, "avi|m2ts|iso|img|mp 4|torrent|nfo|rar|otrkey|mpg")

	learn(tagOther, "", strong, "10bit|10 bit|8bit|8 bit|12bit|10bits|8bits|bt 2020|bt2020|bt709|nordicsubs|korsub|korsubs|readnfo|read nfo|xvidvd")
	learn(tagOther, "", loose, "multisub|multisubs|multi subs|esub|esubs|msub|msubs|softsub|softsubs|subforced|dual audio|repost|dubbed|convert|proof fix|prooffix|dirfix|nfofix|samplefix|hdlight|upscaled|fastsub")
	learn(tagOther, "", shouted, "internal|int|docu|doku|stv|ws|fs|hr|hc|dl|ml|subbed|subs|sub|complete|integral|integrale|multi|multi5|multi3|vfi|read|om|sdr|dual|ext|vff|vfq|hybrid|cover|subpack|retail|fansub|line|md|ld|mic|3x|amzn|nf|dsnp|hmax|pcok|atvp|hulu|hdc|hq|r0|r1|r2|r3|r4|r2j|vfr|oar|boxset|box|untouched|custom|bonus|xxx|org|raw")
	learn(tagOther, "", weak, "hd|sd|netflix|amazon|itunes|disney|hbo|max|dp|dsny|clean|bdk|ppv|chaps|chapters|comm|plus|rip|mux|cut|edition|version|usa|uk|b&w|bw|24p|25p|dus|ictv|new|source|season|extras|tv|subtitles|with|and|upscale|ai")
	learn(tagOther, "", loose, "hardcoded|hard coded|hardsub|hardsubs|dvd iso|minimalnr")
}

func learnLanguages() {
	learn(tagLanguage, "", loose, "truefrench|vostfr|subfrench|swissgerman|vosten|castellano|multilang|flemish|malayalam|telugu|kannada|tamil|hindi|bengali|bangla|punjabi|marathi|gujarati")
	learn(tagLanguage, "", shouted, "german|french|english|spanish|italian|dutch|danish|swedish|norwegian|finnish|nordic|russian|polish|czech|hungarian|romanian|turkish|greek|portuguese|brazilian|latino|japanese|korean|chinese|mandarin|cantonese|thai|vietnamese|hebrew|arabic|persian|ukrainian|bulgarian|serbian|croatian|slovenian|slovak|estonian|latvian|lithuanian|icelandic|catalan|indonesian|malay|farsi|deutsch|francais|ingles|espanol|italiano|quebecois|vlaams")
	learn(tagLanguage, "", shouted, "ita|eng|ger|deu|fre|fra|esp|spa|jpn|jap|kor|rus|pol|cze|hun|nl|fr|de|en|es|it|pl|dk|fi|no|ru|pt|br|ptbr|swe|dan|fin|nor|por|tur|hin|tam|tel|vo|vf|vost|vof|vose|vfstfr|lat|cat|ukr|heb|ara|chi|chs|cht|cn|jp|kr|tr|gr|hu|cz|ro|bg|sk|sl|qc")
}

var (
	resolutionWord = regexp.MustCompile(`^(bd|bluray|tc|ts|hdtv|webdl|web|webrip|dvd|hevc|m|hd|uhd|uhdbd)?(\d{3,4}|1[0o]8[0o]|10800)([pi])(?:\d{2,3}|hd|hevc|[xh]26[45]|bluray|web|hdtv|bd)?$`)
	dimensionsWord = regexp.MustCompile(`^(\d{3,4})[x×](\d{3,4})[pi]?$`)
	audioWord      = regexp.MustCompile(`^(?:dts(?:hd|x|es|hdma|ma)?\d?|ddp?a?\d|ddpa|ddex|ac3d?|e?ac3|e?ac3d|aac(?:v2|x?\d)?|heaac(?:v2)?|aacv2|flac(?:x?\d)?|truehd\d?|atmos\d|opus\d|mp3|lame\d|qaac|dolby)$`)
	channelsWord   = regexp.MustCompile(`^\d(?:ch|audio)$`)
	sizeWord       = regexp.MustCompile(`^\d+(?:mb|gb|gib|mib|kbps|fps)$`)
	discCountWord  = regexp.MustCompile(`^(?:\d{1,2}x?)?dvd(?:r?\d{1,2}|r)?$`)
	cdCountWord    = regexp.MustCompile(`^\dcds?$`)
	revisionWord   = regexp.MustCompile(`^v\d$`)
	checksumWord   = regexp.MustCompile(`^[0-9a-f]{8}$`)
	properWord     = regexp.MustCompile(`^(?:repack|proper|rerip)\d$`)
	episodeWord    = regexp.MustCompile(`^(?:s\d{1,4}x?e\d{1,4}.*|\d{1,2}x\d{2,3})$`)
	ordinalWord    = regexp.MustCompile(`^\d{2,3}(?:th|st|nd|rd)$`)
	scanWord       = regexp.MustCompile(`^4k\d{2}$`)
)

// tagAt is what the longest phrase from token i means.
func (l lexed) tagAt(i int) (tag, bool) {
	t := l.tokens[i]
	if ordinalWord.MatchString(t.key) && i+1 < len(l.tokens) && strings.HasPrefix(l.tokens[i+1].key, "anniversary") {
		to := i + 2
		if to < len(l.tokens) && (editionNouns[l.tokens[to].key] || l.tokens[to].key == "remastered") {
			to++
		}
		return tag{kind: tagEdition, value: "anniversary", strength: loose, from: i, to: to}, true
	}
	phrase := t.key
	ends := [longestPhrase + 1]string{1: phrase}
	most := 1
	for n := 2; n <= longestPhrase && i+n <= len(l.tokens) && l.sameGroup(i, i+n-1); n++ {
		phrase += " " + l.tokens[i+n-1].key
		ends[n], most = phrase, n
	}
	for n := most; n >= 1; n-- {
		if found, ok := phrases[ends[n]]; ok {
			found.from, found.to = i, i+n
			return found, true
		}
	}
	return wordTag(t, i)
}

// wordTag recognises words that carry a number.
func wordTag(t token, i int) (tag, bool) {
	is := func(k kind, value string, s strength) (tag, bool) {
		return tag{kind: k, value: value, strength: s, from: i, to: i + 1}, true
	}
	if len(t.key) > 24 {
		return tag{}, false
	}
	switch {
	case isDigits(t.key):
		return tag{}, false // a number alone says nothing
	case !strings.ContainsAny(t.key, "0123456789"): // nearly all words, and few of the patterns below are without digits
		switch {
		case audioWord.MatchString(t.key):
			return is(tagAudio, "", strong)
		case discCountWord.MatchString(t.key):
			return is(tagSource, "dvd", strong)
		}
		return tag{}, false
	}
	if m := resolutionWord.FindStringSubmatch(t.key); m != nil {
		found, _ := is(tagResolution, standardHeight(m[2])+"p", strong)
		found.source = gluedSources[m[1]]
		return found, true
	}
	if m := dimensionsWord.FindStringSubmatch(t.key); m != nil {
		return is(tagResolution, standardFrame(m[1], m[2]), strong)
	}
	switch {
	case audioWord.MatchString(t.key):
		return is(tagAudio, "", strong)
	case t.key == "dvd" || discCountWord.MatchString(t.key):
		return is(tagSource, "dvd", strong)
	case scanWord.MatchString(t.key):
		return is(tagSource, "film_scan", strong)
	case channelsWord.MatchString(t.key), sizeWord.MatchString(t.key), cdCountWord.MatchString(t.key):
		return is(tagOther, "", loose)
	case revisionWord.MatchString(t.key):
		return is(tagOther, "", loose)
	case properWord.MatchString(t.key):
		return is(tagProper, "", strong)
	case episodeWord.MatchString(t.key):
		return is(tagEpisode, "", strong)
	case t.group > 0 && checksumWord.MatchString(t.key) && strings.ContainsAny(t.key, "0123456789") && !isDigits(t.key):
		return is(tagOther, "", loose)
	}
	return tag{}, false
}
