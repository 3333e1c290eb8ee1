package sqlstore

import (
	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/ports/store"
)

// base is what every repository has: where it runs, and on which database.
type base struct {
	db       bun.IDB
	postgres bool
}

func (s *Store) repos(db bun.IDB) store.Repos {
	b := base{db: db, postgres: s.postgres}
	return store.Repos{
		Users:      users{b},
		Sessions:   sessions{b},
		Challenges: challenges{b},
		Roles:      roles{b},
		MFA:        mfa{b},

		Invitations:   invitations{b},
		Registrations: registrations{b},
		OneTimeTokens: oneTimeTokens{b},
		Avatars:       avatars{b},

		OIDC:      oidc{b},
		Secrets:   secrets{b},
		Libraries: libraries{b},
		Scans:     scans{b},
		Files:     files{b},
		Movies:    movies{b},
		Watch:     watch{b},
		Images:    images{b},
		Activity:  activity{b},
		APIKeys:   apiKeys{b},

		Settings: settings{b},
		Outbox:   outbox{b},
		Sealed:   sealed{b},
	}
}
