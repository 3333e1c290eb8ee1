package bench_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"
)

func init() {
	programs["limit-scan"] = limitScan
	programs["limit-walk"] = limitWalk
}

// sampleSize is what a fingerprint covers of a file's beginning, middle and end.
const sampleSize = 64 << 10

// scanned is the row of one file.
type scanned struct {
	path     string
	size     int64
	modified time.Time
	header   int // bytes of its container's tables
}

// limitScan is the limit of a first scan: it walks over the folder that is its first argument, reads of every file what a fingerprint covers
// and its container's tables, and writes a row for each into the new database that is its second. It prints how many seconds that took.
func limitScan() int {
	root, dsn := os.Args[1], os.Args[2]
	insert, err := openRows(context.Background(), dsn)
	if err != nil {
		return failed(err)
	}
	start := time.Now()
	found, rows := make(chan scanned, 256), make(chan []scanned)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			buffer := make([]byte, sampleSize)
			var some []scanned
			for f := range found {
				if f.header, err = readHeaders(f, buffer); err != nil {
					failed(err)
				}
				if some = append(some, f); len(some) == 500 {
					rows <- some
					some = nil
				}
			}
			rows <- some
		})
	}
	go func() {
		if err := walk(root, func(f scanned) { found <- f }); err != nil {
			failed(err)
		}
		close(found)
		workers.Wait()
		close(rows)
	}()
	count, err := insert(rows)
	if err != nil {
		return failed(err)
	}
	fmt.Println("done", time.Since(start).Seconds(), count)
	return 0
}

// limitWalk is the limit of a rescan: it looks at every file below its argument, a part of the folders on each core.
func limitWalk() int {
	root := os.Args[1]
	start := time.Now()
	tops, err := os.ReadDir(root)
	if err != nil {
		return failed(err)
	}
	counts := make([]int, runtime.NumCPU())
	var workers sync.WaitGroup
	for worker, some := range slices.Collect(slices.Chunk(tops, (len(tops)+len(counts)-1)/len(counts))) {
		workers.Go(func() {
			for _, top := range some {
				if err := walk(filepath.Join(root, top.Name()), func(scanned) { counts[worker]++ }); err != nil {
					failed(err)
				}
			}
		})
	}
	workers.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	fmt.Println("done", time.Since(start).Seconds(), total)
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func walk(root string, visit func(scanned)) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			visit(scanned{path: path, size: info.Size(), modified: info.ModTime()})
		}
		return err
	})
}

// readHeaders reads the three samples of a file and, by seeking from one box or element to the next, all of its first level but the media.
func readHeaders(f scanned, buffer []byte) (read int, err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for _, at := range []int64{0, (f.size - sampleSize) / 2, f.size - sampleSize} {
		if _, err := file.ReadAt(buffer[:min(f.size, sampleSize)], max(at, 0)); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if f.size <= sampleSize {
			break
		}
	}
	next := nextBox
	if strings.HasSuffix(f.path, ".mkv") {
		next = nextElement
	}
	head := make([]byte, 16)
	for at := int64(0); at < f.size; {
		if _, err := file.ReadAt(head, at); err != nil && !errors.Is(err, io.EOF) {
			return read, err
		}
		size, body := next(head)
		if body > 0 {
			table := make([]byte, body)
			n, err := file.ReadAt(table, at)
			if read += n; err != nil && !errors.Is(err, io.EOF) {
				return read, err
			}
		}
		at += size
	}
	return read, nil
}

// nextBox returns how far the next box of an MP4 is, and how much of this one to read.
func nextBox(head []byte) (size, body int64) {
	size = int64(binary.BigEndian.Uint32(head))
	if size < 8 {
		return 1 << 62, 0
	}
	if string(head[4:8]) == "moov" {
		body = size
	}
	return size, body
}

// nextElement is nextBox for Matroska. What is in the segment counts as its first level; of clusters nothing is read.
func nextElement(head []byte) (size, body int64) {
	number := func(b []byte, keep bool) (v int64, n int) {
		for n = 1; n <= 8 && b[0]&(0x80>>(n-1)) == 0; n++ {
		}
		v = int64(b[0])
		if !keep {
			v &= 0xff >> n
		}
		for _, c := range b[1:min(n, len(b))] {
			v = v<<8 | int64(c)
		}
		return v, n
	}
	id, n := number(head, true)
	length, m := number(head[n:], false)
	switch id {
	case 0x18538067: // Segment
		return int64(n + m), 0
	case 0x1F43B675, 0xEC: // Cluster, Void
		return int64(n+m) + length, 0
	}
	return int64(n+m) + length, int64(n+m) + length
}

// openRows makes the table and returns what fills it: many rows a statement in one transaction, by COPY on PostgreSQL.
func openRows(ctx context.Context, dsn string) (func(<-chan []scanned) (int, error), error) {
	const table = "CREATE TABLE files (id BIGINT PRIMARY KEY, path TEXT NOT NULL UNIQUE, size BIGINT NOT NULL, modified BIGINT NOT NULL, header BIGINT NOT NULL)"
	if strings.HasPrefix(dsn, "postgres") {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return nil, err
		}
		if _, err := conn.Exec(ctx, table); err != nil {
			return nil, err
		}
		return func(rows <-chan []scanned) (count int, err error) {
			id, some := int64(0), []scanned{}
			copied, err := conn.CopyFrom(ctx, pgx.Identifier{"files"}, []string{"id", "path", "size", "modified", "header"}, pgx.CopyFromFunc(func() ([]any, error) {
				for len(some) == 0 {
					more, ok := <-rows
					if !ok {
						return nil, nil
					}
					some = more
				}
				f := some[0]
				some = some[1:]
				id++
				return []any{id, f.path, f.size, f.modified.UnixMicro(), int64(f.header)}, nil
			}))
			return int(copied), err
		}, nil
	}
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(dsn, "sqlite:")+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, table); err != nil {
		return nil, err
	}
	return func(rows <-chan []scanned) (count int, err error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		defer func() { _ = tx.Rollback() }()
		for some := range rows {
			if len(some) == 0 {
				continue
			}
			values := make([]any, 0, 5*len(some))
			for _, f := range some {
				count++
				values = append(values, count, f.path, f.size, f.modified.UnixMicro(), f.header)
			}
			statement := "INSERT INTO files VALUES (?,?,?,?,?)" + strings.Repeat(",(?,?,?,?,?)", len(some)-1)
			if _, err := tx.ExecContext(ctx, statement, values...); err != nil {
				return 0, err
			}
		}
		return count, tx.Commit()
	}, nil
}
