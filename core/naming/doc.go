// Package naming reads what paths say about films: title, year, edition, quality, part, ids and
// whether a file is a film, an extra or nothing a library wants; which files are versions or parts
// of one film; what a subtitle file beside a video holds; and how titles sort.
//
// It is pure: it never touches a disk, so it judges names that no longer exist as well as those
// that do. Its vocabulary is that of Name's fields; its rules are those that Kodi, Plex, Jellyfin
// and Radarr taught people to name their files by, and those of scene releases.
package naming
