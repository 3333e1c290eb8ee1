package assemble_test

import (
	"sync"
	"testing"
	"time"

	"github.com/revenge-media/revenge/core/account"
	"github.com/revenge-media/revenge/core/auth"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/hosts/assemble"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/testkit/world"
)

// TestTwoProcessesOnOneDatabaseAreOneServer runs two programs side by side that share database and key, and no memory.
func TestTwoProcessesOnOneDatabaseAreOneServer(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, c config.Config) {
		apps := []*assemble.App{open(t, c), open(t, c)}
		code, err := apps[0].Core.Auth.ClaimCode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		const many = 20
		var all sync.WaitGroup
		var mu sync.Mutex
		var owners []auth.SignedIn
		for i := range many {
			all.Go(func() {
				in, err := apps[i%2].Core.Auth.Claim(t.Context(), code, account.NewUser{Username: "owner" + string(rune('a'+i)), Password: world.Password}, domain.Client{})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					owners = append(owners, in)
				} else if kind := fault.KindOf(err); kind != fault.NotFound && kind != fault.Forbidden {
					t.Errorf("a late claim: %v", err)
				}
			})
		}
		all.Wait()
		if len(owners) != 1 {
			t.Fatalf("%d owners", len(owners))
		}
		in := owners[0]

		successors := map[string]int{}
		for i := range many {
			all.Go(func() {
				next, err := apps[i%2].Core.Auth.Refresh(t.Context(), in.Tokens.RefreshToken, domain.Client{})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("one of many refreshes: %v", err)
				}
				successors[next.RefreshToken]++
			})
		}
		all.Wait()
		if len(successors) != 1 {
			t.Errorf("%d successors of one refresh token", len(successors))
		}

		for _, app := range apps {
			if _, _, err := app.Core.Auth.AuthenticateBearer(t.Context(), in.Tokens.AccessToken); err != nil {
				t.Fatal(err)
			}
		}
		if err := apps[0].Core.Auth.Logout(t.Context(), domain.Actor{UserID: in.User.ID, SessionID: in.Session.ID, Username: in.User.Username, Roles: in.User.Roles}); err != nil {
			t.Fatal(err)
		}
		ended := time.Now()
		world.Until(t, "the other process refuses the session", func() bool {
			_, _, err := apps[1].Core.Auth.AuthenticateBearer(t.Context(), in.Tokens.AccessToken)
			return fault.KindOf(err) == fault.Unauthenticated
		})
		if took := time.Since(ended); took > 5*time.Second { // a second without a shared bus, and what a busy machine adds
			t.Errorf("it took %s", took)
		}
	})
}
