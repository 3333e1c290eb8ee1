package access_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
)

// roleTable is a source that counts how often its roles are read.
type roleTable struct {
	version int64
	reads   int
	err     error
}

func (t *roleTable) PolicyVersion(context.Context) (int64, error) { return t.version, t.err }

func (t *roleTable) List(context.Context) ([]domain.Role, error) {
	t.reads++
	return []domain.Role{{Name: domain.RoleName(rune("a"[0]) + rune(t.version)), Permissions: []domain.Permission{domain.PermissionLibraryRead}}}, nil
}

// forever is a cache that keeps everything.
type forever map[string][]byte

func (f forever) Get(_ context.Context, key string) ([]byte, bool, error) {
	data, ok := f[key]
	return data, ok, nil
}

func (f forever) Set(_ context.Context, key string, data []byte, _ time.Duration) error {
	f[key] = data
	return nil
}

func (f forever) Delete(context.Context, ...string) error { return nil }

func (f forever) Stats() (hits, misses uint64) { return 0, 0 }

func TestRolesAreReadOnceForEachVersionAndNeverShownForAnother(t *testing.T) {
	t.Parallel()
	table := &roleTable{}
	deps := caching.Deps{Cache: forever{}, Logger: slog.New(slog.DiscardHandler)}
	one := access.KeptSource(table, deps)
	for version := range int64(3) {
		table.version = version
		for range 3 {
			roles, err := one.List(t.Context())
			if err != nil || len(roles) != 1 || roles[0].Name != domain.RoleName('a'+rune(version)) {
				t.Fatalf("at version %d the roles are %v, %v", version, roles, err)
			}
		}
	}
	if table.reads != 3 {
		t.Errorf("three versions were read %d times", table.reads)
	}
	table.err = errors.New("gone")
	if _, err := one.List(t.Context()); err == nil {
		t.Error("roles are shown whose version nobody knows")
	}
}
