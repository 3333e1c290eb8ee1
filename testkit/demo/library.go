package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

//go:embed posters/*.jpg
var pictures embed.FS

// marker lies in a finished library and holds the hash of what made it.
const marker = ".revenge-demo"

// Options of [Library].
type Options struct {
	// Small makes every film 16 s of test picture rather than two minutes of moving still.
	Small bool
	// Odd adds the files of [Oddities].
	Odd bool
	// Progress, if set, is told of each film before it is made: done of total, and its name. Calls are not concurrent.
	Progress func(done, total int, name string)
}

// Library makes the demo library in folder, which appears only when it is whole. A library that the same recipes made
// is left alone, an older one is replaced, and a folder with anything else in it is refused.
func Library(ctx context.Context, folder string, options Options) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	recipe := libraryHash(options)
	old, err := os.ReadFile(filepath.Join(folder, marker))
	switch {
	case err == nil && string(old) == recipe:
		return nil
	case err != nil:
		if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
			return fmt.Errorf("demo: %s holds other files: choose an empty or new folder", folder)
		}
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(folder), ".demo-library-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(work)
	whole := filepath.Join(work, "library")
	if err := write(ctx, whole, options); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(whole, marker), []byte(recipe), 0o644); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := os.Rename(whole, folder); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}

// TestLibrary gives a folder of the test's own with the films of the showcase, each 16 s of test picture, and the
// [Oddities]. It skips the test where ffmpeg is missing.
func TestLibrary(t testing.TB) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "library")
	err := write(t.Context(), folder, Options{Small: true, Odd: true})
	if errors.Is(err, ErrNoFFmpeg) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func write(ctx context.Context, folder string, options Options) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := writeFilms(ctx, folder, options); err != nil {
		return err
	}
	for _, film := range films {
		if err := film.writeCompanions(folder, options); err != nil {
			return err
		}
	}
	if options.Odd {
		return writeOddities(ctx, folder)
	}
	return nil
}

// writeFilms makes as many films at a time as there are processors, as no encoder here uses them all.
func writeFilms(ctx context.Context, folder string, options Options) error {
	type task struct {
		film        film
		index, part int
	}
	var tasks []task
	for i, film := range films {
		for part := range film.files {
			tasks = append(tasks, task{film, i, part})
		}
	}
	clock := filepath.Join(folder, ".clock")
	if !options.Small {
		frames, err := clockFrames(showcaseSeconds)
		if err != nil {
			return err
		}
		if err := os.WriteFile(clock, frames, 0o644); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer os.Remove(clock)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		workers sync.WaitGroup
		turn    sync.Mutex
		next    int
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for ctx.Err() == nil {
				turn.Lock()
				n := next
				next++
				if n < len(tasks) && options.Progress != nil {
					options.Progress(n, len(tasks), tasks[n].film.files[tasks[n].part].name)
				}
				turn.Unlock()
				if n >= len(tasks) {
					return
				}
				work := tasks[n]
				if err := work.film.write(ctx, work.index, work.part, folder, clock, options); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (f film) write(ctx context.Context, index, part int, folder, clock string, options Options) error {
	file := f.files[part]
	path := filepath.Join(folder, f.folder, file.name)
	if options.Small {
		source, err := file.shape.recipe.cached(ctx, about(filepath.Join(f.folder, file.name)))
		if err != nil {
			return err
		}
		return copyFile(source, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	still := f.still
	if still == "" {
		still = f.picture
	}
	picture, err := pictures.ReadFile("posters/" + still + ".jpg")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(path), ".still-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(work)
	stillPath := filepath.Join(work, "still.jpg")
	if err := os.WriteFile(stillPath, picture, 0o644); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return file.shape.recipe.make(ctx, showcase(f, index, part, stillPath, clock), path)
}

// writeCompanions writes what lies beside the film: facts, artwork, subtitles.
func (f film) writeCompanions(folder string, options Options) error {
	write := func(name string, text []byte) error {
		if err := os.WriteFile(filepath.Join(folder, f.folder, name), text, 0o644); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		return nil
	}
	if f.nfoAs != "" {
		text, err := f.facts.nfo()
		if err != nil {
			return err
		}
		if err := write(f.nfoAs, text); err != nil {
			return err
		}
	}
	for name, picture := range map[string]string{f.posterAs: f.picture, f.fanartAs: f.still} {
		if name == "" {
			continue
		}
		text, err := pictures.ReadFile("posters/" + picture + ".jpg")
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if err := write(name, text); err != nil {
			return err
		}
	}
	seconds := showcaseSeconds
	if options.Small {
		seconds = small.seconds
	}
	for _, s := range f.sidecars {
		if err := write(s.name, []byte(cues(s.language, s.forced, seconds))); err != nil {
			return err
		}
	}
	return nil
}

// libraryHash changes with everything that the library is made of.
func libraryHash(options Options) string {
	parts := []any{options.Small, options.Odd, fmt.Sprintf("%+v", Oddities())}
	for i, film := range films {
		parts = append(parts, fmt.Sprintf("%+v", film))
		for part, file := range film.files {
			arguments, files := file.shape.recipe.command(showcase(film, i, part, "", ""))
			parts = append(parts, strings.Join(arguments, " "), files)
		}
	}
	return hashOf(parts...)
}
