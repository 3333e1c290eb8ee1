package library

import (
	"context"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/files"
	"github.com/revenge-media/revenge/ports/store"
)

// Unmatched is the state by which ListFiles returns film files that belong to no film.
const Unmatched = "unmatched"

// ListFiles returns the files of a state (domain.FileState or Unmatched, "" for all that need attention), of one library or all.
func (s *Service) ListFiles(ctx context.Context, actor domain.Actor, state string, library *domain.ID, page domain.PageRequest) (domain.Page[domain.File], error) {
	scope, err := s.Access.ScopeFor(ctx, actor, domain.PermissionLibraryManage)
	if err != nil {
		return domain.Page[domain.File]{}, err
	}
	filter := store.FileFilter{LibraryID: library}
	switch domain.FileState(state) {
	case "":
		filter.States = []domain.FileState{domain.FileFailed, domain.FileUnsupported, domain.FileMissing, domain.FileGrowing}
	case Unmatched:
		filter.Unmatched = true
		filter.States = []domain.FileState{domain.FileReady, domain.FileUnsupported}
	case domain.FileFound, domain.FileGrowing, domain.FileReady, domain.FileFailed, domain.FileUnsupported, domain.FileMissing, domain.FileIgnored:
		filter.States = []domain.FileState{domain.FileState(state)}
	default:
		return domain.Page[domain.File]{}, fault.InvalidField("file.bad_state", "state", "There is no file state %q.", state)
	}
	return s.Store.Read().Files.List(ctx, scope, filter, page)
}

// ReadAgain reads a file anew, also one that was ignored. Conflict "file.missing" when it is not there.
func (s *Service) ReadAgain(ctx context.Context, actor domain.Actor, id domain.ID) (domain.File, error) {
	f, l, err := s.managedFile(ctx, actor, id)
	if err != nil {
		return domain.File{}, err
	}
	p, _ := pathOf(l, f.PathID)
	if _, err := s.Tree.Stat(ctx, p.Raw, f.Raw); fault.CodeOf(err) == files.CodeNotFound {
		return domain.File{}, fault.New(fault.Conflict, "file.missing", "The file is not there. Bring it back, then scan the library.")
	}
	err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if f, err = tx.Files.Get(ctx, domain.ScopeAll(), id); err != nil {
			return err
		}
		code := f.ReasonCode
		if code == reasonIgnored || code == reasonSample {
			code = ""
		}
		if f.State = stateOf(code); f.State == domain.FileFound {
			f.ReasonCode, f.Reason, f.Fingerprint, f.Media = "", "", "", nil
		}
		f.VanishedAt, f.MissingSince, f.MatchedAt, f.UpdatedAt = nil, nil, nil, s.now()
		if err := tx.Files.Update(ctx, f); err != nil {
			return err
		}
		return enqueueSettle(ctx, tx, l.ID, s.Now())
	})
	return f, err
}

// Ignore leaves a file out of the library until it is read again: it belongs to no film, and scans pass it by.
func (s *Service) Ignore(ctx context.Context, actor domain.Actor, id domain.ID) (domain.File, error) {
	f, l, err := s.managedFile(ctx, actor, id)
	if err != nil {
		return domain.File{}, err
	}
	err = s.Store.Update(ctx, func(ctx context.Context, tx store.Tx) error {
		if f, err = tx.Files.Get(ctx, domain.ScopeAll(), id); err != nil {
			return err
		}
		film := f.MovieID
		f.State, f.ReasonCode, f.Reason, f.MovieID, f.UpdatedAt = domain.FileIgnored, reasonIgnored, reasons[reasonIgnored], nil, s.now()
		if err := tx.Files.Update(ctx, f); err != nil || film == nil {
			return err
		}
		if err := s.Movies.FilesGone(ctx, tx, *film); err != nil {
			return err
		}
		return tx.Events.Publish(ctx, moviesChanged(l.ID))
	})
	return f, err
}

func (s *Service) managedFile(ctx context.Context, actor domain.Actor, id domain.ID) (domain.File, domain.Library, error) {
	scope, err := s.Access.ScopeFor(ctx, actor, domain.PermissionLibraryManage)
	if err != nil {
		return domain.File{}, domain.Library{}, err
	}
	f, err := s.Store.Read().Files.Get(ctx, scope, id)
	if err != nil {
		return domain.File{}, domain.Library{}, err
	}
	l, err := s.Store.Read().Libraries.Get(ctx, scope, f.LibraryID)
	return f, l, err
}
