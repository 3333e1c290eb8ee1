package account

import (
	"strings"
	"testing"
)

func TestPasswordsThatAnybodyWouldTryAreRefused(t *testing.T) {
	t.Parallel()
	if n := len(common()); n < 3000 {
		t.Errorf("only %d common passwords are known", n)
	}
	for _, password := range []string{
		strings.Repeat("é", 14), "passwordpassword", "PasswordPassword", "password12345678", "passwordpassword1", "qwertyuiopqwertyuiop", "qwertyuiopasdfgh", "123456789012345",
		"1234567890123456", "987654321098765", "aaaaaaaaaaaaaaa", "abcabcabcabcabcabc", "abcdefghijklmnop", "1qaz2wsx3edc4rfv", "iloveyouiloveyou", "123456789password",
		"!!!password123456!!!", "correcthorsebatterystaple", "revengerevenge", "RevengeRevenge1", "revenge-revenge-", "anna.schmidt2024", "AnnaSchmidtAnna!", "moviesMoviesmovies1", "movies@example.org", "Movies@Example.org1", "quiet otters\x00dig holes",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", strings.Repeat("long ", 300), "bad \xff utf-8 but long enough",
	} {
		if weakness(password, MinPasswordLength, "anna.schmidt", "Anna Schmidt", "movies@example.org") == "" {
			t.Errorf("%q was taken", password)
		}
	}
	for _, password := range []string{
		"seventeen green kettles", "revenge is a dish best served cold", "anna likes walking in the rain", "ünïcödé 漢字漢語漢文学者達 ok", strings.Repeat("x1Y ", 16) + "end", "kM4$8vTq!z0pWn2", strings.Repeat("ab cd ef 12 ", 10) + "12345678",
	} {
		if message := weakness(password, MinPasswordLength, "anna.schmidt", "Anna Schmidt", "movies@example.org"); message != "" {
			t.Errorf("%q: %s", password, message)
		}
	}
}
