package naming

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// caseFile is one line of the shared naming cases: what other media managers' own tests expect of a name.
type caseLine struct {
	Source  string                     `json:"source"`
	Input   json.RawMessage            `json:"input"`
	Kind    string                     `json:"kind"`
	Expect  map[string]json.RawMessage `json:"expect"`
	Context map[string]json.RawMessage `json:"context"`
	Tags    []string                   `json:"tags"`
}

// paths are the case's inputs.
func (c caseLine) paths(t *testing.T) []string {
	var many []string
	if err := json.Unmarshal(c.Input, &many); err == nil {
		return many
	}
	var one string
	if err := json.Unmarshal(c.Input, &one); err != nil {
		t.Fatalf("%s: input: %v", c.Source, err)
	}
	return []string{one}
}

func (c caseLine) scored() bool {
	for _, tag := range []string{"tv", "fragment", "peer-fails", "conflict"} {
		if slices.Contains(c.Tags, tag) {
			return false
		}
	}
	return true
}

func (c caseLine) get(t *testing.T, key string, into any) bool {
	raw, ok := c.Expect[key]
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%s: %s: %v", c.Source, key, err)
	}
	return true
}

func loadCases(t *testing.T) []caseLine {
	files, _ := filepath.Glob("../../../shared/naming/*.jsonl")
	if len(files) == 0 {
		t.Skip("the shared naming cases are not beside this checkout")
	}
	var cases []caseLine
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var c caseLine
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			cases = append(cases, c)
		}
		_ = f.Close()
	}
	return cases
}

// tally counts right answers of one field.
type tally struct{ right, total int }

func (s tally) percent() float64 {
	if s.total == 0 {
		return 100
	}
	return 100 * float64(s.right) / float64(s.total)
}

type scores struct {
	t      *testing.T
	fields map[string]*tally
}

func (s scores) add(c caseLine, field string, right bool, want, got any) {
	if s.fields[field] == nil {
		s.fields[field] = &tally{}
	}
	s.fields[field].total++
	if right {
		s.fields[field].right++
		return
	}
	s.t.Logf("%s %s %s\n\twant %v\n\tgot  %v", field, c.Source, c.Input, want, got)
}

func (s scores) atLeast(least map[string]float64) {
	for name := range least {
		if s.fields[name] == nil {
			s.t.Errorf("no case says anything of %s", name)
		}
	}
	names := make([]string, 0, len(s.fields))
	for name := range s.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		f := s.fields[name]
		line := fmt.Sprintf("%-14s %4d/%-4d = %5.1f %%", name, f.right, f.total, f.percent())
		if minimum, ok := least[name]; ok && f.percent() < minimum {
			s.t.Errorf("%s, below %.0f %%", line, minimum)
			continue
		}
		s.t.Log(line)
	}
}

// family joins the sources that the cases do not tell apart.
func family(source string) string {
	switch source {
	case "bluray", "bdrip", "brrip", "hddvd":
		return "bluray"
	case "web", "webdl", "webrip", "hdrip":
		return "web"
	case "dvd", "dvdrip":
		return "dvd"
	case "tv", "hdtv", "sdtv":
		return "tv"
	}
	return source
}

// letters compares titles as the cases' rules say: by letters and digits only.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if isSeparator(r) || strings.ContainsRune("!?'’&()[]{}#°.,【】！＃（）", r) {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

func TestNamesOfOtherMediaManagersTests(t *testing.T) {
	t.Parallel()
	s := scores{t, map[string]*tally{}}
	for _, c := range loadCases(t) {
		if c.Kind == "set" || c.Context["video"] != nil || !c.scored() {
			continue
		}
		n := Parse(c.paths(t)[0])
		scoreName(t, s, c, n)
	}
	s.atLeast(map[string]float64{"title": 97, "year": 99, "edition": 95, "extra": 95, "part": 95, "partCount": 95, "imdbId": 95, "tmdbId": 95, "resolution": 95, "source": 95, "videoCodec": 95, "proper": 95, "kind": 90, "group": 90})
}

func scoreName(t *testing.T, s scores, c caseLine, n Name) {
	var text *string
	var number *int
	var flag *bool
	var list []string
	var forms []string
	if c.get(t, "title", &text) || c.get(t, "title_any", &forms) {
		c.get(t, "title_any", &forms)
		if text != nil {
			forms = append(forms, *text)
		}
		s.add(c, "title", slices.ContainsFunc(forms, func(want string) bool { return letters(want) == letters(n.Title) }), forms, n.Title)
	}
	orZero := func(p *int) int {
		if p == nil {
			return 0
		}
		return *p
	}
	orEmpty := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	if c.get(t, "year", &number) {
		s.add(c, "year", n.Year == orZero(number), orZero(number), n.Year)
	}
	if c.get(t, "edition_tags", &list) {
		right := len(list) > 0 || len(n.Edition) == 0
		for _, want := range list {
			right = right && slices.Contains(n.Edition, want)
		}
		s.add(c, "edition", right, list, n.Edition)
	}
	for _, f := range []struct {
		key, field, got string
	}{{"resolution", "resolution", n.Resolution}, {"video_codec", "videoCodec", n.VideoCodec}, {"group", "group", n.Group}, {"extra", "extra", n.Extra}, {"imdb_id", "imdbId", n.IMDbID}} {
		text = nil
		if c.get(t, f.key, &text) {
			s.add(c, f.field, orEmpty(text) == f.got, orEmpty(text), f.got)
		}
	}
	text = nil
	if c.get(t, "source", &text) {
		s.add(c, "source", family(orEmpty(text)) == family(n.Source), orEmpty(text), n.Source)
	}
	for _, f := range []struct {
		key, field string
		got        int
	}{{"part", "part", n.Part}, {"part_count", "partCount", n.PartCount}, {"tmdb_id", "tmdbId", n.TMDbID}} {
		number = nil
		if c.get(t, f.key, &number) {
			s.add(c, f.field, orZero(number) == f.got, orZero(number), f.got)
		}
	}
	for _, f := range []struct {
		key, field string
		got        bool
	}{{"proper", "proper", n.Proper}, {"ignore", "kind", n.Kind != KindMovie}, {"parsed", "parsed", n.Kind == KindMovie}, {"is_3d", "threeD", n.ThreeD != ""}, {"remux", "remux", n.Remux}, {"stub", "stub", n.Stub}} {
		flag = nil
		if c.get(t, f.key, &flag) {
			s.add(c, f.field, (flag != nil && *flag) == f.got, flag != nil && *flag, f.got)
		}
	}
}

func TestSetsOfOtherMediaManagersTests(t *testing.T) {
	t.Parallel()
	s := scores{t, map[string]*tally{}}
	for _, c := range loadCases(t) {
		if c.Kind != "set" || !c.scored() {
			continue
		}
		scoreSet(t, s, c, Group(c.paths(t)))
	}
	least := map[string]float64{"set": 95}
	for field := range s.fields {
		least[field] = 95
	}
	s.atLeast(least)
}

func scoreSet(t *testing.T, s scores, c caseLine, set Set) {
	var owner string
	if raw, ok := c.Context["owner"]; ok {
		_ = json.Unmarshal(raw, &owner)
	}
	extras, alternates, stacks, parts := []Extra{}, 0, 0, 0
	var versions []string
	for _, m := range set.Movies {
		ours := owner == ""
		for i, v := range m.Versions {
			ours = ours || slices.Contains(v.Parts, owner)
			if i > 0 {
				alternates++
				versions = append(versions, v.Parts[0])
			}
			if len(v.Parts) > 1 {
				stacks++
				parts = len(v.Parts)
			}
		}
		if ours {
			extras = append(extras, m.Extras...)
		}
	}
	if owner == "" {
		extras = append(extras, set.Extras...)
	}
	wrong := 0
	check := func(field string, right bool, want, got any) {
		s.add(c, field, right, want, got)
		if !right {
			wrong++
		}
	}
	for _, f := range []struct {
		key string
		got int
	}{{"items", len(set.Movies) + len(extras)}, {"movies", len(set.Movies)}, {"alternates", alternates}, {"extras", len(extras)}, {"stack_parts", parts}} {
		var want int
		if c.get(t, f.key, &want) {
			check(f.key, want == f.got, want, f.got)
		}
	}
	var kinds, order []string
	if c.get(t, "extra_types", &kinds) {
		var got []string
		for _, e := range extras {
			got = append(got, e.Kind)
		}
		slices.Sort(got)
		check("extra_types", slices.Equal(kinds, got), kinds, got)
	}
	var primary string
	if c.get(t, "primary", &primary) {
		check("primary", set.Movies[0].Versions[0].Parts[0] == primary, primary, set.Movies[0].Versions[0].Parts[0])
	}
	if c.get(t, "alternate_order", &order) {
		check("alternate_order", slices.Equal(order, versions), order, versions)
	}
	var wantStacks []struct {
		Name  string
		Parts int
	}
	if c.get(t, "stacks", &wantStacks) {
		check("stacks", len(wantStacks) == stacks, wantStacks, set.Movies)
	}
	var multi bool
	if c.get(t, "multi_part", &multi) {
		check("multi_part", multi == (stacks > 0), multi, stacks)
	}
	s.add(c, "set", wrong == 0, "all of it", fmt.Sprintf("%d wrong", wrong))
}

func TestSubtitlesOfOtherMediaManagersTests(t *testing.T) {
	t.Parallel()
	s := scores{t, map[string]*tally{}}
	two := map[string]string{"eng": "en", "hin": "hi", "fre": "fr", "fra": "fr", "ger": "de", "deu": "de", "spa": "es"}
	for _, c := range loadCases(t) {
		if c.Context["video"] == nil || !c.scored() {
			continue
		}
		var video string
		if err := json.Unmarshal(c.Context["video"], &video); err != nil {
			t.Fatal(err)
		}
		got, ok := ParseSidecar(video, c.paths(t)[0])
		want := Sidecar{Format: got.Format}
		var title, lang *string
		if c.get(t, "sub_title", &title) && title != nil {
			want.Title = *title
		}
		if c.get(t, "sub_language", &lang) && lang != nil {
			want.Language = *lang
			if short, ok := two[*lang]; ok {
				want.Language = short
			}
		}
		c.get(t, "forced", &want.Forced)
		c.get(t, "default", &want.Default)
		c.get(t, "hearing_impaired", &want.HearingImpaired)
		s.add(c, "subtitle", ok && got == want, want, got)
	}
	s.atLeast(map[string]float64{"subtitle": 95})
}
