package aesgcm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/secrets"
)

// CodeKeyFile is the fault of a key file that cannot be used: Unavailable when it cannot be read or written, Invalid when it holds no keys.
const CodeKeyFile = "secrets.key_file"

// KeyFile is a Ring whose keys are in a file, one a line in base64, newest first. Processes that share the file see a change of it before they seal
// anything, and when they meet a value of a key that they do not know.
type KeyFile struct {
	path string

	mu     sync.Mutex
	read   os.FileInfo // of what sealer was made of
	sealer *Sealer
}

var _ secrets.Ring = (*KeyFile)(nil)

// OpenFile reads the key file, and makes it with one key where there is none. Of several processes that do so together one makes it, all read the same.
func OpenFile(path string) (*KeyFile, error) {
	f := &KeyFile{path: path}
	_, err := f.current()
	if errors.Is(err, fs.ErrNotExist) {
		if err := f.make(); err != nil {
			return nil, unusable(path, err)
		}
		_, err = f.current()
	}
	return f, err
}

func unusable(path string, err error) error {
	return fault.Wrap(err, fault.Unavailable, CodeKeyFile, "The secret key %s cannot be read or made.", path)
}

// current is the sealer of the file's keys as they are now. It costs a look at the file's entry while nothing changed.
func (f *KeyFile) current() (*Sealer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, unusable(f.path, err)
	}
	if f.read != nil && os.SameFile(info, f.read) && info.ModTime().Equal(f.read.ModTime()) && info.Size() == f.read.Size() {
		return f.sealer, nil
	}
	keys, err := f.keys()
	if err != nil {
		return nil, err
	}
	sealer, err := New(keys...)
	if err != nil {
		return nil, f.noKeys(err)
	}
	f.read, f.sealer = info, sealer
	return sealer, nil
}

// known is the sealer that was read last, for opening what it has the key of.
func (f *KeyFile) known() *Sealer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sealer
}

// keys reads the file.
func (f *KeyFile) keys() (keys [][]byte, err error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, unusable(f.path, err)
	}
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		key, err := base64.StdEncoding.AppendDecode(nil, line)
		if err == nil && len(key) != KeySize {
			err = errors.New("wrong length")
		}
		if err != nil {
			return nil, f.noKeys(err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, f.noKeys(errors.New("it is empty"))
	}
	return keys, nil
}

func (f *KeyFile) noKeys(err error) error {
	return fault.Wrap(err, fault.Invalid, CodeKeyFile, "%s is not a secret key: every line must hold %d bytes in base64. Restore it from your backup.", f.path, KeySize)
}

// Seal implements secrets.Sealer.
func (f *KeyFile) Seal(ctx context.Context, location string, plain []byte) ([]byte, error) {
	s, err := f.current()
	if err != nil {
		return nil, err
	}
	return s.Seal(ctx, location, plain)
}

// Open implements secrets.Sealer. What this process knows the key of opens whatever became of the file.
func (f *KeyFile) Open(ctx context.Context, location string, sealed []byte) ([]byte, error) {
	s := f.known()
	if !s.knows(sealed) {
		fresh, err := f.current()
		if err != nil {
			return nil, err
		}
		s = fresh
	}
	return s.Open(ctx, location, sealed)
}

// Newest implements secrets.Ring.
func (f *KeyFile) Newest(_ context.Context, sealed []byte) (bool, error) {
	s, err := f.current()
	if err != nil {
		return false, err
	}
	return len(sealed) >= headerSize && sealed[0] == version && keyID(sealed[1:headerSize]) == s.sealing, nil
}

// Renew implements secrets.Ring. All that it has done stands in the file: several keys are a renewal that goes on.
func (f *KeyFile) Renew(ctx context.Context, reseal func(ctx context.Context) error) error {
	unlock, err := lock(ctx, f.path+".lock")
	if err != nil {
		return unusable(f.path, err)
	}
	defer unlock()
	keys, err := f.keys()
	if err != nil {
		return err
	}
	if len(keys) == 1 {
		keys = append([][]byte{newKey()}, keys...)
		if err := f.write(keys); err != nil {
			return unusable(f.path, err)
		}
	}
	if err := reseal(ctx); err != nil {
		return err
	}
	if now, err := f.keys(); err != nil {
		return err
	} else if !bytes.Equal(now[0], keys[0]) {
		return fault.New(fault.Conflict, CodeKeyFile, "Somebody else put another key into %s meanwhile. Start again.", f.path)
	}
	if err := f.write(keys[:1]); err != nil {
		return unusable(f.path, err)
	}
	return nil
}

func newKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return key
}

// make writes a file with one new key unless there is a file by then.
func (f *KeyFile) make() error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return err
	}
	own, err := f.temporary([][]byte{newKey()})
	if err != nil {
		return err
	}
	defer os.Remove(own)
	if err := os.Link(own, f.path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(f.path)
}

// write replaces the file's keys: after a crash there are the old ones or the new, and after it returned the new ones.
func (f *KeyFile) write(keys [][]byte) error {
	own, err := f.temporary(keys)
	if err != nil {
		return err
	}
	if err := os.Rename(own, f.path); err != nil {
		return errors.Join(err, os.Remove(own))
	}
	return syncFolder(f.path)
}

// temporary writes a file beside the key file that only this user reads, safely on disk.
func (f *KeyFile) temporary(keys [][]byte) (name string, err error) {
	own, err := os.CreateTemp(filepath.Dir(f.path), ".secret-*")
	if err != nil {
		return "", err
	}
	for _, key := range keys {
		_, writeErr := fmt.Fprintln(own, base64.StdEncoding.EncodeToString(key))
		err = errors.Join(err, writeErr)
	}
	if err := errors.Join(err, own.Sync(), own.Close()); err != nil {
		return "", errors.Join(err, os.Remove(own.Name()))
	}
	return own.Name(), nil
}

// syncFolder makes a new name in the file's folder last, where the system can.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	_ = folder.Sync() // not every file system has it (Windows)
	return nil
}
