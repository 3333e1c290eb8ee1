// Command metadata is a Revenge server that reads facts about films in a format of the importer's own: JSON where others write XML into the
// film's .nfo file. What is no JSON is left to the built-in reader.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"os/signal"
	"syscall"

	"github.com/revenge-media/revenge/adapters/nfo"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/ports/metadata"
)

// note is what the importer's own catalogue knows of a film.
type note struct {
	Name  string   `json:"name"`
	Made  int      `json:"made"`
	About string   `json:"about"`
	Tags  []string `json:"tags"`
	Stars []string `json:"stars"`
}

// Reader implements ports/metadata.LocalReader.
type Reader struct{ BuiltIn metadata.LocalReader }

// Read takes JSON itself and hands everything else on.
func (r Reader) Read(ctx context.Context, name string, data []byte) (metadata.Facts, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return r.BuiltIn.Read(ctx, name, data)
	}
	var n note
	if err := json.Unmarshal(data, &n); err != nil {
		return metadata.Facts{}, fault.Wrap(err, fault.Invalid, metadata.CodeNFOUnreadable, "%s begins like JSON and is none: %v.", name, err)
	}
	facts := metadata.Facts{Title: n.Name, Year: n.Made, Overview: n.About, Genres: n.Tags}
	for i, star := range n.Stars {
		facts.Credits = append(facts.Credits, domain.Credit{Person: star, Department: "cast", Order: i})
	}
	return facts, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	app, err := assemble.Open(ctx, config.Default(), assemble.Options{Metadata: Reader{nfo.New()}})
	if err != nil {
		log.Fatal(err)
	}
	defer app.Close()
	if err := app.Serve(ctx, nil); err != nil {
		log.Print(err)
	}
}
