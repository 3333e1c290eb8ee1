package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/revenge-media/revenge/adapters/sqlstore"
	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/hosts/httpd"
	"github.com/revenge-media/revenge/ports/otp"
	"github.com/revenge-media/revenge/ports/store"
)

// BenchmarkLoginSecondFactor signs 64 accounts in at once, each by password and then by the code of an authenticator app. Its limit is that of
// BenchmarkLogin, hashes of argon2id alone, and so is what is wished: a code costs an HMAC and a few rows, which is little beside a hash.
func BenchmarkLoginSecondFactor(b *testing.B) {
	hashing := start(b, "limit-argon2", "listening ", nil)
	for _, kind := range apiDatabases {
		b.Run(kind, func(b *testing.B) {
			c := catalogueOf(b, kind, 10_000)
			apps := accountsWithApps(b, c, logins*measure.Rounds)
			// An address may show 60 second factors a minute. Every account has its own address behind this machine as a proxy.
			s := serve(b, c, "REVENGE_TRUSTED_PROXIES=127.0.0.1/32")
			if _, err := together(s.ours, 16, enrolInTurn(apps)); err != nil {
				b.Fatal(err)
			}
			var next int
			ours := func(context.Context) (float64, error) {
				turn := make([]*app, logins)
				codes := make([]string, logins)
				for i := range turn {
					var err error
					turn[i] = apps[next%len(apps)]
					if codes[i], err = turn[i].code(); err != nil {
						return 0, err
					}
					next++
				}
				took, err := together(s.ours, logins, func(i int, c *client) error { return turn[i].signIn(c, codes[i]) })
				return logins / took.Seconds(), err
			}
			for b.Loop() {
				c, err := measure.Interleave(b.Context(), measure.Rounds, ours, hashes(hashing))
				if err != nil {
					b.Fatal(err)
				}
				measure.Report(b, c.AtLeast(0.85, "Login, "+kind, fmt.Sprintf("%d accounts at once, with a second factor", logins), "logins/s"))
			}
		})
	}
}

// app is the authenticator app of an account.
type app struct {
	login, address string
	secret         string // base32
	step           int64  // the last whose code was shown
}

// accountsWithApps adds accounts with the member's password, whose apps are not enrolled yet.
func accountsWithApps(b *testing.B, c *catalogue, count int) []*app {
	b.Helper()
	db, err := sqlstore.Open(b.Context(), sqlstore.Config{DSN: c.DSN})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	apps := make([]*app, count)
	err = db.Update(b.Context(), func(ctx context.Context, tx store.Tx) error {
		hash, err := tx.Users.PasswordHash(ctx, c.Member)
		if err != nil {
			return err
		}
		for i := range apps {
			id := domain.NewID()
			apps[i] = &app{login: id.String(), address: fmt.Sprintf("198.18.%d.%d", i/250, i%250+1)} // RFC 2544: for benchmarks
			u := domain.User{ID: id, Username: apps[i].login, Roles: []domain.RoleName{domain.RoleUser}, CreatedAt: epoch, UpdatedAt: epoch}
			if err := tx.Users.Create(ctx, u, hash); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return apps
}

// enrolInTurn enrols all apps, over however many connections it is given.
func enrolInTurn(apps []*app) func(int, *client) error {
	var next atomic.Int64
	return func(_ int, c *client) error {
		for {
			n := int(next.Add(1)) - 1
			if n >= len(apps) {
				return nil
			}
			if err := apps[n].enrol(c); err != nil {
				return err
			}
		}
	}
}

// code returns the next code that the app shows. A code counts once, so the one of the next step is shown early, which servers let pass for clocks
// that are a little fast, and only after that the app waits. None gets too old while a round runs.
func (a *app) code() (string, error) {
	seconds := int64(otp.Step.Seconds())
	a.step = max(a.step+1, time.Now().Unix()/seconds)
	shown := time.Unix(a.step*seconds, 0)
	time.Sleep(time.Until(shown.Add(-otp.Step)))
	return totp.GenerateCode(a.secret, shown)
}

func (a *app) enrol(c *client) error {
	var in httpd.SignIn
	if err := a.post(c, "/auth/login", "", map[string]any{"login": a.login, "password": memberPassword}, &in); err != nil {
		return err
	}
	var setup httpd.TOTPSetup
	if err := a.post(c, "/mfa/totp/setup", in.AccessToken, nil, &setup); err != nil {
		return err
	}
	a.secret = setup.Secret
	code, err := a.code()
	if err != nil {
		return err
	}
	var added httpd.FactorAdded
	if err := a.post(c, "/mfa/totp/verify", in.AccessToken, map[string]any{"code": code}, &added); err != nil {
		return err
	}
	if !added.Status.Enabled {
		return fmt.Errorf("the second factor of %s is off", a.login)
	}
	return nil
}

func (a *app) signIn(c *client, code string) error {
	var in httpd.SignIn
	if err := a.post(c, "/auth/login", "", map[string]any{"login": a.login, "password": memberPassword}, &in); err != nil {
		return err
	}
	if in.Challenge == nil {
		return fmt.Errorf("%s is asked for no second factor", a.login)
	}
	if err := a.post(c, "/auth/mfa/verify", "", map[string]any{"token": in.Challenge.Token, "method": domain.FactorTOTP, "code": code}, &in); err != nil {
		return err
	}
	if in.AccessToken == "" {
		return fmt.Errorf("%s is not signed in", a.login)
	}
	return nil
}

// post sends JSON from the app's address and reads the answer, which must be 200. token is "" for nobody.
func (a *app) post(c *client, path, token string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if body == nil {
		data = nil
	}
	r := newPost(api+path, string(data))
	r.wire = withHeader(r.wire, "X-Forwarded-For: "+a.address)
	if token != "" {
		r.wire = withHeader(r.wire, "Authorization: Bearer "+token)
	}
	status, answer, err := c.do(r)
	if err == nil && status == 200 {
		err = json.Unmarshal(answer, into)
	}
	if err != nil || status != 200 {
		return fmt.Errorf("%s is answered %d %s: %w", path, status, answer, err)
	}
	return nil
}
