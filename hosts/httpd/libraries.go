package httpd

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/core/library"
)

type libraryOutput struct {
	ETag string `header:"ETag"`
	Body domain.Library
}

func libraryBody(l domain.Library, err error) (*libraryOutput, error) {
	if err != nil {
		return nil, err
	}
	return &libraryOutput{ETag: versionTag(l.UpdatedAt), Body: l}, nil
}

// versionTag is an entity tag that changes with the time of the last change.
func versionTag(at time.Time) string { return `"` + strconv.FormatInt(at.UnixMicro(), 36) + `"` }

// ifMatch reads If-Match (RFC 9110, 13.1.1) as the time of versionTag; nil without one, or for "*".
func ifMatch(header string) (*time.Time, error) {
	if header == "" || strings.TrimSpace(header) == "*" {
		return nil, nil
	}
	micros, err := strconv.ParseInt(strings.Trim(strings.TrimSpace(header), `"`), 36, 64)
	if err != nil {
		return nil, fault.New(fault.Precondition, "http.bad_etag", "If-Match is not the ETag of what was read. Load it again.")
	}
	at := time.UnixMicro(micros).UTC()
	return &at, nil
}

type createLibraryInput struct {
	Body struct {
		Name       string   `json:"name" minLength:"1" maxLength:"100"`
		Paths      []string `json:"paths" minItems:"1" maxItems:"50" doc:"Handles from /admin/directories, or absolute paths"`
		Restricted bool     `json:"restricted,omitempty" doc:"Seen by admin and, where the access list names them, legacy:read only"`
		Open       bool     `json:"open,omitempty" doc:"Seen by every account"`
		Locale     string   `json:"locale,omitempty" maxLength:"35" doc:"BCP 47 tag whose articles sort titles ignore; English when empty"`
	}
}

type updateLibraryInput struct {
	ByID
	IfMatch string `header:"If-Match" doc:"The ETag that was read: 412 when the library changed since"`
	Body    struct {
		Name       *string `json:"name,omitempty" minLength:"1" maxLength:"100"`
		Restricted *bool   `json:"restricted,omitempty"`
		Open       *bool   `json:"open,omitempty"`
		Locale     *string `json:"locale,omitempty" maxLength:"35"`
	}
}

// librariesRoute is one of who manages every library.
func librariesRoute(id, method, path, summary string, status int, errors ...int) Route {
	return Route{ID: id, Method: method, Path: "/admin" + path, Summary: summary, Tag: "Libraries", Permission: domain.PermissionLibraryManage, Status: status, Errors: errors}
}

// libraryRoute is one of who manages the library that it is about.
func libraryRoute(id, method, path, summary string, status int, errors ...int) Route {
	r := librariesRoute(id, method, path, summary, status, errors...)
	r.InLibrary = true
	return r
}

func (s *Server) mountLibraries() {
	register(s, Route{ID: "listLibraries", Method: http.MethodGet, Path: "/libraries", Summary: "The libraries that this account sees", Tag: "Libraries", Permission: domain.PermissionLibraryRead, InLibrary: true},
		func(ctx context.Context, _ *struct{}) (*output[items[domain.Library]], error) {
			return list(s.core.Library.List(ctx, actorOf(ctx)))
		})
	register(s, Route{ID: "getLibrary", Method: http.MethodGet, Path: "/libraries/{id}", Summary: "One library", Tag: "Libraries", Permission: domain.PermissionLibraryRead, InLibrary: true},
		func(ctx context.Context, in *ByID) (*libraryOutput, error) {
			return libraryBody(s.core.Library.Get(ctx, actorOf(ctx), in.ID))
		})
	register(s, librariesRoute("createLibrary", http.MethodPost, "/libraries", "Make a library of folders and scan it", http.StatusCreated, http.StatusConflict),
		func(ctx context.Context, in *createLibraryInput) (*libraryOutput, error) {
			b := in.Body
			return libraryBody(s.core.Library.Create(ctx, actorOf(ctx), library.Draft{Name: b.Name, Paths: b.Paths, Restricted: b.Restricted, Open: b.Open, Locale: b.Locale}))
		})
	register(s, libraryRoute("updateLibrary", http.MethodPatch, "/libraries/{id}", "Change a library", 0, http.StatusConflict, http.StatusPreconditionFailed),
		func(ctx context.Context, in *updateLibraryInput) (*libraryOutput, error) {
			expected, err := ifMatch(in.IfMatch)
			if err != nil {
				return nil, err
			}
			b := in.Body
			return libraryBody(s.core.Library.Update(ctx, actorOf(ctx), in.ID, expected, library.Change{Name: b.Name, Restricted: b.Restricted, Open: b.Open, Locale: b.Locale}))
		})
	register(s, librariesRoute("deleteLibrary", http.MethodDelete, "/libraries/{id}", "Remove a library; the files and what people watched stay", 0),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Library.Delete(ctx, actorOf(ctx), in.ID)
		})
	s.mountLibraryPaths()
	s.mountScans()
	s.mountFiles()
}

func (s *Server) mountLibraryPaths() {
	register(s, librariesRoute("addLibraryPath", http.MethodPost, "/libraries/{id}/paths", "Add a folder and scan it", http.StatusCreated, http.StatusConflict),
		func(ctx context.Context, in *struct {
			ByID
			Body struct {
				Path string `json:"path" minLength:"1" doc:"A handle from /admin/directories, or an absolute path"`
			}
		}) (*output[domain.LibraryPath], error) {
			return body(s.core.Library.AddPath(ctx, actorOf(ctx), in.ID, in.Body.Path))
		})
	register(s, librariesRoute("removeLibraryPath", http.MethodDelete, "/libraries/{id}/paths/{pathId}", "Take a folder out of a library", 0),
		func(ctx context.Context, in *struct {
			ByID
			PathID domain.ID `path:"pathId"`
		}) (*struct{}, error) {
			return nil, s.core.Library.RemovePath(ctx, actorOf(ctx), in.ID, in.PathID)
		})
	register(s, librariesRoute("listLibraryAccess", http.MethodGet, "/libraries/{id}/access", "Who is on the access list", 0),
		func(ctx context.Context, in *ByID) (*output[items[domain.LibraryAccess]], error) {
			return list(s.core.Library.AccessList(ctx, actorOf(ctx), in.ID))
		})
	register(s, librariesRoute("grantLibraryAccess", http.MethodPost, "/libraries/{id}/access", "Put an account on the access list", 0),
		func(ctx context.Context, in *struct {
			ByID
			Body struct {
				UserID domain.ID `json:"userId"`
			}
		}) (*struct{}, error) {
			return nil, s.core.Library.Grant(ctx, actorOf(ctx), in.ID, in.Body.UserID)
		})
	register(s, librariesRoute("revokeLibraryAccess", http.MethodDelete, "/libraries/{id}/access/{userId}", "Take an account off the access list", 0),
		func(ctx context.Context, in *struct {
			ByID
			UserID domain.ID `path:"userId"`
		}) (*struct{}, error) {
			return nil, s.core.Library.Ungrant(ctx, actorOf(ctx), in.ID, in.UserID)
		})
	register(s, librariesRoute("listDirectories", http.MethodGet, "/directories", "Folders of this computer, for the path picker", 0, http.StatusNotFound),
		func(ctx context.Context, in *struct {
			Path   string `query:"path" maxLength:"4000" doc:"A handle; empty for places to begin at"`
			Titles bool   `query:"titles" doc:"Also say which films the names speak of"`
		}) (*output[library.Listing], error) {
			return body(s.core.Library.Directories(ctx, actorOf(ctx), in.Path, in.Titles))
		})
}

func (s *Server) mountScans() {
	register(s, libraryRoute("getScan", http.MethodGet, "/libraries/{id}/scan", "The scan that runs, or the latest", 0),
		func(ctx context.Context, in *ByID) (*output[domain.Scan], error) {
			return body(s.core.Library.CurrentScan(ctx, actorOf(ctx), in.ID))
		})
	register(s, libraryRoute("startScan", http.MethodPost, "/libraries/{id}/scan", "Scan a library", http.StatusAccepted, http.StatusConflict),
		func(ctx context.Context, in *ByID) (*output[domain.Scan], error) {
			return body(s.core.Library.Scan(ctx, actorOf(ctx), in.ID))
		})
	register(s, libraryRoute("stopScan", http.MethodDelete, "/libraries/{id}/scan", "Stop the scan; what it did stays", 0),
		func(ctx context.Context, in *ByID) (*struct{}, error) {
			return nil, s.core.Library.CancelScan(ctx, actorOf(ctx), in.ID)
		})
	register(s, libraryRoute("listScans", http.MethodGet, "/libraries/{id}/scans", "All scans, newest first", 0),
		func(ctx context.Context, in *struct {
			ByID
			PageQuery
		}) (*output[domain.Page[domain.Scan]], error) {
			return page(s.core.Library.Scans(ctx, actorOf(ctx), in.ID, in.request()))
		})
	register(s, libraryRoute("confirmMissing", http.MethodPost, "/libraries/{id}/missing/confirm", "Believe that what vanished from frozen folders is gone", 0),
		func(ctx context.Context, in *struct {
			ByID
			Body struct {
				PathID *domain.ID `json:"pathId,omitempty" doc:"One folder; all frozen ones when absent"`
			}
		}) (*libraryOutput, error) {
			return libraryBody(s.core.Library.Confirm(ctx, actorOf(ctx), in.ID, in.Body.PathID))
		})
}

func (s *Server) mountFiles() {
	register(s, libraryRoute("listFiles", http.MethodGet, "/files", "Files by state: what failed, is missing, or cannot be played, and why", 0),
		func(ctx context.Context, in *struct {
			PageQuery
			State     string `query:"state" enum:"found,growing,ready,missing,failed,unsupported,ignored,unmatched" doc:"All that need attention when absent"`
			LibraryID string `query:"libraryId" format:"uuid"`
		}) (*output[domain.Page[domain.File]], error) {
			var only *domain.ID
			if in.LibraryID != "" {
				id, ok := domain.ParseID(in.LibraryID)
				if !ok {
					return nil, fault.InvalidField("library.bad_id", "libraryId", "This is no id of a library.")
				}
				only = &id
			}
			return page(s.core.Library.ListFiles(ctx, actorOf(ctx), in.State, only, in.request()))
		})
	for verb, route := range map[string]struct {
		id, summary string
		do          func(context.Context, domain.Actor, domain.ID) (domain.File, error)
	}{
		"read":   {"readFileAgain", "Read a file again", s.core.Library.ReadAgain},
		"ignore": {"ignoreFile", "Leave a file out of the library", s.core.Library.Ignore},
	} {
		register(s, libraryRoute(route.id, http.MethodPost, "/files/{id}/"+verb, route.summary, 0, http.StatusConflict),
			func(ctx context.Context, in *ByID) (*output[domain.File], error) {
				return body(route.do(ctx, actorOf(ctx), in.ID))
			})
	}
}
