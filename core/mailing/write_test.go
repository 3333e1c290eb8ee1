package mailing

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// complete are values for every template.
var complete = map[string]string{
	"link": "https://movies.example.org/reset#code=abc_def-123", "inviter": "Ann", "expires": "EXPIRES", "email": "new@example.org", "ip": "192.0.2.7", "device": "Firefox on Linux",
	"when": "WHEN", "change": "an authenticator app was added", "remaining": "7", "purgeAt": "PURGE",
}

func TestEveryTextIsThereInEveryLanguageWithTheSamePlaceholders(t *testing.T) {
	t.Parallel()
	if len(catalogues) < 2 {
		t.Fatalf("only %d languages", len(catalogues))
	}
	inOrder := func(text string) []string {
		found := placeholder.FindAllString(text, -1)
		slices.Sort(found)
		return found
	}
	used := map[string]bool{"greeting": true, "greetingNobody": true, "linkHint": true, "footer": true}
	for _, template := range Templates {
		for _, part := range []string{".subject", ".text"} {
			used[string(template)+part] = true
		}
		if strings.Contains(string(template), "verify") || slices.Contains([]Template{Invitation, ConfirmEmailChange, ResetPassword}, template) {
			used[string(template)+".button"] = true
		}
	}
	for _, change := range []string{"totpAdded", "totpRemoved", "passkeyAdded", "passkeyRemoved", "codesMade", "enabled", "disabled", "reset"} { // as core/mfa says it
		used[string(SecondFactorChanged)+".change."+change] = true
	}
	for language, catalogue := range catalogues {
		for key := range used {
			if catalogue[key] == "" {
				t.Errorf("%s has no %s", language, key)
			}
			if en := catalogues["en"]; !slices.Equal(inOrder(catalogue[key]), inOrder(en[key])) || strings.Count(catalogue[key], "\n\n") != strings.Count(en[key], "\n\n") {
				t.Errorf("%s differs in %s from English", key, language)
			}
		}
		for key := range catalogue {
			if !used[key] {
				t.Errorf("%s has %s, which nothing uses", language, key)
			}
		}
	}
}

var remote = regexp.MustCompile(`(?i)<(img|link|script|iframe|object|form)|src=|url\(|@import|background=`)

func TestEveryMailIsWholeInBothFormsAndLoadsNothing(t *testing.T) {
	t.Parallel()
	for language := range catalogues {
		for _, template := range Templates {
			got, err := write(Message{ToName: "Jürgen", Template: template, Data: complete}, "Kino", language)
			if err != nil {
				t.Error(err)
				continue
			}
			for form, text := range map[string]string{"subject": got.subject, "html": got.html, "text": got.text} {
				if !strings.Contains(text, "Kino") || (form != "html" && strings.ContainsAny(text, "{}")) || strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "<no value>") {
					t.Errorf("%s in %s has this %s:\n%s", template, language, form, text)
				}
			}
			if remote.MatchString(got.html) {
				t.Errorf("%s loads something: %s", template, remote.FindString(got.html))
			}
			if !strings.Contains(got.html, `lang="`+language+`"`) || !strings.Contains(got.html, "Jürgen") || !strings.Contains(got.text, "Jürgen") {
				t.Errorf("%s in %s:\n%s", template, language, got.html)
			}
			for _, text := range []string{got.html, got.text} {
				if !strings.Contains(text, complete["link"]) {
					t.Errorf("the link of %s is lost:\n%s", template, text)
				}
			}
		}
	}
}

func TestNothingThatAPersonWroteIsMarkup(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script><img src="https://evil.example/x">`
	data := map[string]string{}
	for name := range complete {
		data[name] = evil
	}
	data["link"] = "javascript:alert(1)"
	for _, template := range Templates {
		got, err := write(Message{ToName: evil, Template: template, Data: data}, "Kino "+evil, "en")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got.html, "<script") || remote.MatchString(strings.ReplaceAll(got.html, "src=&#34;", "")) || strings.Contains(got.html, `href="javascript`) {
			t.Errorf("%s:\n%s", template, got.html)
		}
	}
}

func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	t.Parallel()
	got, err := write(Message{Template: NewDevice, Data: map[string]string{"device": "Firefox on Linux"}}, "Kino", "en")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.text, "Device: Firefox on Linux") || strings.Contains(got.text, "Address") || strings.Contains(got.text, "Time") || strings.Contains(got.text, "Hello ,") {
		t.Errorf("got:\n%s", got.text)
	}
	if _, err := write(Message{Template: "none"}, "Kino", "en"); err == nil {
		t.Error("a template that is not there was written")
	}
}
