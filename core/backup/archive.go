// Package backup makes, checks and restores backups: one file with all rows of the database and the secret key.
//
// A backup is a logical copy for both databases: rows as lines of JSON, taken in one snapshot. So it needs no program of PostgreSQL's of the right
// version in a container, works while servers write, is restored by newer versions (which migrate what they restored), and moves a household from SQLite
// to PostgreSQL or back: ids, times, bytes and numbers are the same on both, which the schemas' parity makes sure of.
//
// It is a tar file under gzip: backup.json (what it is), secret.key, tables/NAME/00000001.jsonl and so on in the order in which they can be filled, and
// manifest.json with the size and SHA-256 of each member and the rows of each table. As the manifest is last, a file that ended early has none.
//
// Not in it: films; the cache (indexes, pictures taken from films and their folders, encoded sound), which scans make again; the configuration and
// the environment, which may hold passwords; sessions; jobs and mails, so that nothing that was done is done again.
package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/backups"
)

// CodeDamaged is Invalid: the file is no backup, or not as it was written.
const CodeDamaged = "backup.damaged"

const (
	format       = 1
	headerName   = "backup.json"
	keyName      = "secret.key"
	manifestName = "manifest.json"
	chunk        = 1 << 20  // a member ends with the row that passes it
	largest      = 64 << 20 // of a member; a row is smaller, as what is uploaded is
)

// Header says what a backup is.
type Header struct {
	Format    int       `json:"format"`
	Version   string    `json:"version"` // of the program that made it
	Schema    int64     `json:"schema"`
	Engine    string    `json:"engine"` // sqlite or postgres
	CreatedAt time.Time `json:"createdAt"`
}

// Table is a table in a manifest.
type Table struct {
	backups.Table
	Rows int64 `json:"rows"`
}

// Member is a file in a backup.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// Manifest is what must be in a backup.
type Manifest struct {
	Header
	// Configuration is where the settings of the process come from; they are not in the backup.
	Configuration string   `json:"configuration"`
	Tables        []Table  `json:"tables"`
	Members       []Member `json:"members"`
}

// Rows is the sum of all tables.
func (m Manifest) Rows() (n int64) {
	for _, t := range m.Tables {
		n += t.Rows
	}
	return n
}

func damaged(cause error, message string, args ...any) error {
	return fault.Wrap(cause, fault.Invalid, CodeDamaged, "This is no whole backup: %s. Nothing was restored from it; take another one.", fmt.Sprintf(message, args...))
}

// writer packs members.
type writer struct {
	tar      *tar.Writer
	manifest Manifest
}

func (w *writer) member(name string, data []byte) error {
	sum := sha256.Sum256(data)
	w.manifest.Members = append(w.manifest.Members, Member{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
	return w.put(name, data)
}

func (w *writer) put(name string, data []byte) error {
	if len(data) > largest {
		return fault.New(fault.Internal, "backup.too_large", "%s is larger than %d bytes, which no backup can hold.", name, largest)
	}
	if err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: w.manifest.CreatedAt}); err != nil {
		return err
	}
	_, err := w.tar.Write(data)
	return err
}

// write makes a backup of db. The key is read before and after the snapshot begins, so that it opens all rows while keys are renewed.
func write(ctx context.Context, to io.Writer, db backups.Database, key backups.Key, h Header) (Manifest, error) {
	before, err := key.Read(ctx)
	if err != nil {
		return Manifest{}, err
	}
	packed := gzip.NewWriter(to)
	w := &writer{tar: tar.NewWriter(packed)}
	err = db.Snapshot(ctx, func(ctx context.Context, s backups.Snapshot) error {
		after, err := key.Read(ctx)
		if err != nil {
			return err
		}
		h.Format, h.Schema, h.Engine = format, s.Schema(), db.Engine()
		w.manifest.Header, w.manifest.Configuration = h, "not in the backup: the configuration file, environment and flags of the host"
		head, err := json.Marshal(h)
		if err != nil {
			return err
		}
		if err := errors.Join(w.member(headerName, head), w.member(keyName, united(after, before))); err != nil {
			return err
		}
		for _, t := range s.Tables() {
			if err := w.table(ctx, s, t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Manifest{}, err
	}
	text, err := json.Marshal(w.manifest)
	if err != nil {
		return Manifest{}, err
	}
	return w.manifest, errors.Join(w.put(manifestName, text), w.tar.Close(), packed.Close())
}

// united has each line once, those of the first before the others.
func united(first, second []byte) []byte {
	var lines []string
	for _, line := range strings.Fields(string(first) + "\n" + string(second)) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

func (w *writer) table(ctx context.Context, s backups.Snapshot, t backups.Table) error {
	var buffer bytes.Buffer
	parts, rows := 0, int64(0)
	flush := func() error {
		parts++
		defer buffer.Reset()
		return w.member(memberOf(t.Name, parts), buffer.Bytes())
	}
	err := s.Rows(ctx, t, func(values []any) error {
		rows++
		if err := encode(&buffer, values); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		if buffer.Len() < chunk {
			return nil
		}
		return flush()
	})
	if err == nil && buffer.Len() > 0 {
		err = flush()
	}
	w.manifest.Tables = append(w.manifest.Tables, Table{t, rows})
	return err
}

func memberOf(table string, part int) string { return fmt.Sprintf("tables/%s/%08d.jsonl", table, part) }

// encode writes a row as a JSON array: numbers (those with a fraction always with a point or an exponent), booleans, texts, null, and {"b": base64} for bytes.
func encode(to *bytes.Buffer, values []any) error {
	separator := byte('[')
	for _, v := range values {
		to.WriteByte(separator)
		separator = ','
		switch v := v.(type) {
		case nil:
			to.WriteString("null")
		case int64:
			to.WriteString(strconv.FormatInt(v, 10))
		case float64:
			text := strconv.FormatFloat(v, 'g', -1, 64)
			if !strings.ContainsAny(text, ".e") {
				text += ".0"
			}
			to.WriteString(text)
		case bool:
			to.WriteString(strconv.FormatBool(v))
		case string:
			if !utf8.ValidString(v) {
				return errors.New("a text is not UTF-8")
			}
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			to.Write(text)
		case []byte:
			to.WriteString(`{"b":"` + base64.StdEncoding.EncodeToString(v) + `"}`)
		default:
			return fmt.Errorf("a value is a %T", v)
		}
	}
	to.WriteString("]\n")
	return nil
}

func decode(line []byte, columns int) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var row []any
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	if len(row) != columns {
		return nil, fmt.Errorf("a row has %d values and not %d", len(row), columns)
	}
	for i, v := range row {
		var err error
		switch v := v.(type) {
		case json.Number:
			if strings.ContainsAny(string(v), ".eE") {
				row[i], err = v.Float64()
			} else {
				row[i], err = v.Int64()
			}
		case map[string]any:
			text, is := v["b"].(string)
			if !is || len(v) != 1 {
				return nil, errors.New("an unknown value")
			}
			row[i], err = base64.StdEncoding.DecodeString(text)
		case []any:
			return nil, errors.New("an unknown value")
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

// reader unpacks members one by one and remembers what they were.
type reader struct {
	file   *bufio.Reader
	packed *gzip.Reader
	tar    *tar.Reader
	seen   []Member
}

func open(from io.Reader) (*reader, Header, error) {
	r := &reader{file: bufio.NewReader(from)}
	var err error
	if r.packed, err = gzip.NewReader(r.file); err != nil {
		return nil, Header{}, damaged(err, "it does not begin like one")
	}
	r.packed.Multistream(false)
	r.tar = tar.NewReader(r.packed)
	name, data, err := r.next()
	if err != nil {
		return nil, Header{}, err
	}
	var h Header
	if err := json.Unmarshal(data, &h); err != nil || name != headerName {
		return nil, Header{}, damaged(err, "it does not begin like one")
	}
	if h.Format > format {
		return nil, Header{}, fault.New(fault.Conflict, backups.CodeNewer, "The backup was made by a newer version of Revenge (%s). Use that version.", h.Version)
	}
	return r, h, nil
}

// next reads a member whole: it is at most as large as a writer makes it. Nothing is ever written under a member's name.
func (r *reader) next() (name string, data []byte, err error) {
	h, err := r.tar.Next()
	if err != nil {
		return "", nil, damaged(err, "it ends too early or cannot be read")
	}
	if h.Typeflag != tar.TypeReg || h.Size > largest {
		return "", nil, damaged(nil, "%.100q does not belong into one", h.Name)
	}
	var into bytes.Buffer // grows with what is there, whatever the header says
	n, err := io.Copy(&into, r.tar)
	if err != nil || n != h.Size {
		return "", nil, damaged(err, "%.100q cannot be read", h.Name)
	}
	sum := sha256.Sum256(into.Bytes())
	r.seen = append(r.seen, Member{Name: h.Name, Size: h.Size, SHA256: hex.EncodeToString(sum[:])})
	return h.Name, into.Bytes(), nil
}

// end reads on to the file's end, which makes gzip compare its own sum.
func (r *reader) end() error {
	if _, err := r.tar.Next(); !errors.Is(err, io.EOF) {
		return damaged(err, "something follows the manifest")
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(r.packed, largest))
	if err != nil || rest >= largest {
		return damaged(err, "its end cannot be read")
	}
	if _, err := r.file.ReadByte(); !errors.Is(err, io.EOF) {
		return damaged(err, "something follows its end")
	}
	return nil
}

// read goes through a whole backup and compares it with its manifest. Where it is given, into gets the rows; what it got counts only when read returns
// no error.
func read(ctx context.Context, from io.Reader, tables []Table, into backups.Filling) (m Manifest, key []byte, err error) {
	r, h, err := open(from)
	if err != nil {
		return Manifest{}, nil, err
	}
	name, key, err := r.next()
	if err != nil {
		return Manifest{}, nil, err
	}
	if name != keyName {
		return Manifest{}, nil, damaged(nil, "it has no secret key")
	}
	name, data, err := r.next()
	if err != nil {
		return Manifest{}, nil, err
	}
	counted := map[string]int64{}
	// rowsOf reads the members of a table, until another member comes.
	rowsOf := func(table string, columns int) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for part := 1; name == memberOf(table, part); part++ {
				for line := range bytes.Lines(data) {
					if err := ctx.Err(); err != nil {
						yield(nil, err)
						return
					}
					if columns < 0 {
						if err := json.Unmarshal(line, new([]json.RawMessage)); err != nil {
							yield(nil, damaged(err, "a row of %s cannot be read", table))
							return
						}
						counted[table]++
						continue
					}
					row, err := decode(line, columns)
					if err != nil {
						yield(nil, damaged(err, "a row of %s cannot be read", table))
						return
					}
					counted[table]++
					if !yield(row, nil) {
						return
					}
				}
				var err error
				if name, data, err = r.next(); err != nil {
					yield(nil, err)
					return
				}
			}
		}
	}
	if into != nil {
		for _, t := range tables {
			if err := into.Table(ctx, t.Table, rowsOf(t.Name, len(t.Columns))); err != nil {
				return Manifest{}, nil, err
			}
		}
	}
	for name != manifestName {
		table, _, nested := strings.Cut(strings.TrimPrefix(name, "tables/"), "/")
		if into != nil || !nested || name != memberOf(table, 1) {
			return Manifest{}, nil, damaged(nil, "%.100q does not belong into one", name)
		}
		for _, err := range rowsOf(table, -1) {
			if err != nil {
				return Manifest{}, nil, err
			}
		}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, nil, damaged(err, "its manifest cannot be read")
	}
	if m.Header != h || !slices.Equal(m.Members, r.seen[:len(r.seen)-1]) {
		return Manifest{}, nil, damaged(nil, "its files are not those of its manifest")
	}
	known := 0
	for _, t := range m.Tables {
		if _, has := counted[t.Name]; has {
			known++
		}
		if counted[t.Name] != t.Rows {
			return Manifest{}, nil, damaged(nil, "%s has %d rows and should have %d", t.Name, counted[t.Name], t.Rows)
		}
	}
	if known != len(counted) {
		return Manifest{}, nil, damaged(nil, "it has tables that its manifest does not name")
	}
	return m, key, r.end()
}
