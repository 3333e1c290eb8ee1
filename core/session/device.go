package session

import (
	"crypto/sha256"
	"regexp"
	"strings"
)

// Device names a browser or client for its owner, e.g. "Firefox on Linux". User agents claim to be each other, so the order of the tables
// is the more particular first.
func Device(userAgent string) string {
	browser, system := match(userAgent, browsers), match(userAgent, systems)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	case system != "":
		return system
	}
	// "VLC/3.0.20 LibVLC/3.0.20": what stands before the version.
	product, _, _ := strings.Cut(Printable(userAgent), "/")
	product, _, _ = strings.Cut(product, " ")
	if len(product) > 40 {
		product = strings.ToValidUTF8(product[:40], "")
	}
	if product == "" {
		return "Unknown device"
	}
	return product
}

var browsers = [][2]string{
	{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
}

var systems = [][2]string{
	{"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Tizen", "Samsung TV"}, {"Web0S", "LG TV"},
	{"CrOS", "ChromeOS"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}, {"FreeBSD", "FreeBSD"},
}

func match(s string, table [][2]string) string {
	for _, entry := range table {
		if strings.Contains(s, entry[0]) {
			return entry[1]
		}
	}
	return ""
}

// versions are what changes in a user agent when its software is updated.
var versions = regexp.MustCompile(`[0-9]+([._][0-9A-Za-z]+)*`)

// Fingerprint tells devices apart by what clients say of themselves, without versions: SHA-256, 32 bytes. It proves nothing, as anybody may say the same.
func Fingerprint(userAgent string) []byte {
	sum := sha256.Sum256([]byte(versions.ReplaceAllString(Printable(userAgent), "")))
	return sum[:]
}
