package playback

import (
	"cmp"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/language"
)

// chooseAudio returns the index of the sound track to begin with: the preferred language, else the one flagged as default, else the first. Of a
// language, tracks without commentary come first, then the default one, then the one with most channels. -1 where there is no sound.
func chooseAudio(tracks []domain.Audio, prefs domain.Preferences) int {
	wanted := language.Code(prefs.AudioLanguage)
	best, bestScore := -1, -1
	for _, a := range tracks {
		score := min(a.Channels, 15)
		if a.Default {
			score += 16
		}
		if !a.Commentary {
			score += 32
		}
		if wanted != "" && language.Code(a.Language) == wanted {
			score += 64
		}
		if wanted == "" && !a.Default {
			score &^= 15 // without a preference the first one stands, not the one with most channels
		}
		if score > bestScore {
			best, bestScore = a.Index, score
		}
	}
	return best
}

// subtitle is what chooseSubtitle looks at, whether embedded or beside the film.
type subtitle struct {
	id                                string
	language                          string
	forced, isDefault, impaired, text bool
}

// chooseSubtitle returns the position of the subtitle to begin with, -1 for none (domain.Preferences.SubtitleMode): in the mode "on" the
// preferred language, else the default one; in "auto" a forced one of the sound's language, and where the sound is in a
// language that is not the viewer's, theirs or the default one.
func chooseSubtitle(all []subtitle, prefs domain.Preferences, heard string) int {
	heard = language.Code(heard)
	mine := language.Code(prefs.SubtitleLanguage)
	if mine == "" && prefs.SubtitleMode != "on" {
		mine = language.Code(prefs.AudioLanguage)
	}
	find := func(keep func(subtitle) bool) int {
		best := -1
		for i, s := range all {
			if s.text && keep(s) && (best < 0 || all[best].impaired && !s.impaired) {
				best = i
			}
		}
		return best
	}
	full := func(s subtitle) bool { return !s.forced }
	in := func(code string, s subtitle) bool { return code != "" && language.Code(s.language) == code }
	first := func(choices ...func(subtitle) bool) int {
		for _, keep := range choices {
			if i := find(keep); i >= 0 {
				return i
			}
		}
		return -1
	}
	switch prefs.SubtitleMode {
	case "off":
		return -1
	case "on":
		return first(
			func(s subtitle) bool { return full(s) && in(mine, s) },
			func(s subtitle) bool { return full(s) && s.isDefault },
			func(s subtitle) bool { return mine == "" && full(s) })
	}
	foreign := mine != "" && heard != "" && heard != mine
	if foreign {
		if i := first(func(s subtitle) bool { return full(s) && in(mine, s) }, func(s subtitle) bool { return full(s) && s.isDefault }); i >= 0 {
			return i
		}
	}
	return first(
		func(s subtitle) bool { return s.forced && in(heard, s) },
		func(s subtitle) bool { return s.forced && (s.language == "" || heard == "") })
}

// version is one version of a film: its parts in order.
type version struct {
	key   string
	label string
	files []domain.File
}

// versionsOf groups film files. Files of one key that are no parts are versions of their own, told apart by their ids.
func versionsOf(files []domain.File) []version {
	var list []version
	place := map[string]int{}
	for _, f := range files {
		if f.Kind != domain.KindMovie || f.State == domain.FileIgnored {
			continue
		}
		key := f.VersionKey
		if i, ok := place[key]; ok && f.Part > 0 && list[i].files[0].Part > 0 {
			list[i].files = append(list[i].files, f)
			continue
		} else if ok || key == "" {
			key = f.ID.String()
		}
		place[key] = len(list)
		list = append(list, version{key: key, label: labelOf(f), files: []domain.File{f}})
	}
	for _, v := range list {
		slices.SortStableFunc(v.files, func(a, b domain.File) int { return a.Part - b.Part })
	}
	return list
}

// labelOf names a version: as its file does, else by edition and picture.
func labelOf(f domain.File) string {
	if f.Version != "" {
		return f.Version
	}
	words := slices.Clone(f.Edition)
	if f.Resolution != "" {
		words = append(words, f.Resolution)
	}
	if f.Media != nil {
		if v := picture(*f.Media); v != nil && v.HDR != "" {
			words = append(words, "HDR")
		}
	}
	return strings.Join(words, " ")
}

// better compares two versions that play: the larger picture, then the cheaper method, then more bits. It is negative when a is better.
func better(a, b VersionPlan, av, bv version) int {
	return cmp.Or(
		cmp.Compare(heightOf(bv), heightOf(av)),
		cmp.Compare(a.Method.rank(), b.Method.rank()),
		cmp.Compare(b.Size, a.Size))
}

func heightOf(v version) int {
	if m := v.files[0].Media; m != nil {
		if p := picture(*m); p != nil {
			return max(p.Height, p.Width*9/16)
		}
	}
	return 0
}
