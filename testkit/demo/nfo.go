package demo

import (
	"encoding/xml"
	"fmt"
	"strconv"
)

// nfo is the film's facts as Kodi and Radarr write them beside a film.
// https://kodi.wiki/view/NFO_files/Movies
func (f facts) nfo() ([]byte, error) {
	type rating struct {
		Name    string  `xml:"name,attr"`
		Max     int     `xml:"max,attr"`
		Default bool    `xml:"default,attr"`
		Value   float64 `xml:"value"`
	}
	type uniqueID struct {
		Type    string `xml:"type,attr"`
		Default bool   `xml:"default,attr,omitempty"`
		ID      string `xml:",chardata"`
	}
	type actor struct {
		Name  string `xml:"name"`
		Role  string `xml:"role"`
		Order int    `xml:"order"`
	}
	movie := struct {
		XMLName   xml.Name   `xml:"movie"`
		Title     string     `xml:"title"`
		Original  string     `xml:"originaltitle"`
		Year      int        `xml:"year"`
		Premiered string     `xml:"premiered,omitempty"`
		Ratings   []rating   `xml:"ratings>rating"`
		Plot      string     `xml:"plot"`
		Tagline   string     `xml:"tagline,omitempty"`
		Runtime   int        `xml:"runtime"` // minutes
		MPAA      string     `xml:"mpaa"`
		IDs       []uniqueID `xml:"uniqueid"`
		Genres    []string   `xml:"genre"`
		Country   string     `xml:"country"`
		Writers   []string   `xml:"credits"`
		Directors []string   `xml:"director"`
		Studio    string     `xml:"studio"`
		Actors    []actor    `xml:"actor"`
	}{
		Title: f.title, Original: f.original, Year: f.year, Premiered: f.premiered,
		Ratings: []rating{{Name: "imdb", Max: 10, Default: true, Value: f.rating}},
		Plot:    f.plot, Tagline: f.tagline, Runtime: f.minutes, MPAA: f.certificate,
		IDs:    []uniqueID{{Type: "imdb", Default: true, ID: f.imdb}, {Type: "tmdb", ID: strconv.Itoa(f.tmdb)}},
		Genres: f.genres, Country: f.country, Writers: f.writers, Directors: f.directors, Studio: f.studio,
	}
	for i, a := range f.actors {
		movie.Actors = append(movie.Actors, actor{Name: a[0], Role: a[1], Order: i})
	}
	text, err := xml.MarshalIndent(movie, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return append([]byte(`<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>`+"\n"), append(text, '\n')...), nil
}
