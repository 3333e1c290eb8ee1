package access

import (
	"context"
	"strconv"

	"github.com/revenge-media/revenge/core/caching"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/ports/policy"
)

// KeptSource reads roles from another source, which one process does for all that hear of a change at the same time. The version is always the
// source's own, and roles are kept under the version that they were read after: they are never older than it says.
func KeptSource(of policy.Source, d caching.Deps) policy.Source {
	return &keptSource{Source: of, roles: caching.New[[]domain.Role](d, caching.Config{Prefix: "roles", TTL: caching.Access})}
}

type keptSource struct {
	policy.Source
	roles *caching.Cached[[]domain.Role]
}

// List implements policy.Source.
func (s *keptSource) List(ctx context.Context) ([]domain.Role, error) {
	version, err := s.PolicyVersion(ctx)
	if err != nil {
		return nil, err
	}
	return s.roles.Get(ctx, strconv.FormatInt(version, 10), s.Source.List)
}
