package domain

// MaxPageSize and DefaultPageSize bound every list (SPEC 1).
const (
	MaxPageSize     = 100
	DefaultPageSize = 50
)

// PageRequest asks for one keyset page. Cursor is opaque, from the previous Page's NextCursor, and belongs
// to the same filter and sort; "" starts at the beginning.
type PageRequest struct {
	Limit        int    `json:",omitzero"`
	Cursor       string `json:",omitzero"`
	IncludeTotal bool   `json:",omitzero"`
}

// Size returns Limit within 1..MaxPageSize; DefaultPageSize when it is not set.
func (p PageRequest) Size() int {
	switch {
	case p.Limit <= 0:
		return DefaultPageSize
	case p.Limit > MaxPageSize:
		return MaxPageSize
	default:
		return p.Limit
	}
}

// Page is one keyset page. Every row that exists throughout a walk over all pages is in exactly one of them.
type Page[T any] struct {
	Items []T `json:"items"`
	// NextCursor starts the next page; absent on the last one.
	NextCursor string `json:"nextCursor,omitempty"`
	// Total counts all rows of the filter; present only when asked for.
	Total *int `json:"total,omitempty"`
}
