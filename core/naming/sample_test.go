package naming

import "testing"

func TestSamplesAreThoseThatParseTakesForOnes(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"Film (2000)/Film (2000).mkv": false, "Film (2000)/Sample/film.mkv": true, "Film (2000)/film-SAMPLE.mkv": true, "Film (2000)/proof.mkv": true,
		"Sampler (2000)/Sampler.mkv": false, "Fïlm (2000)/film-sample.mkv": true, "Fïlm (2000)/film.mkv": false, "Film.2000.1080p.Sample.mkv": true,
	} {
		n := Parse(path)
		if got := IsSample(path); got != want || got != (n.Kind == KindIgnored && n.Extra == "sample") {
			t.Errorf("%q: %v, and Parse says %s %q", path, got, n.Kind, n.Extra)
		}
	}
}
