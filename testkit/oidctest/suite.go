package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/oidc"
)

// Home is where the suite's browser comes back to.
const Home = "http://127.0.0.1:8585/callback"

// NewAttempt is one with secrets of its own.
func NewAttempt() oidc.Attempt {
	secret := func() string {
		data := make([]byte, 32)
		_, _ = rand.Read(data) // never fails (crypto/rand)
		return base64.RawURLEncoding.EncodeToString(data)
	}
	return oidc.Attempt{RedirectURI: Home, State: secret(), Nonce: secret(), Verifier: secret()}
}

// Run holds a relying party to every law. open returns one that may reach loopback.
func Run(t *testing.T, open func(t *testing.T) oidc.RelyingParty) {
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			law(t, open(t))
		})
	}
}

// begin goes to the provider and comes back with its answer.
func begin(t *testing.T, r oidc.RelyingParty, p *Provider, a oidc.Attempt) oidc.Answer {
	t.Helper()
	address, err := r.Authorize(t.Context(), p.Client(), a)
	if err != nil {
		t.Fatal(err)
	}
	back := p.SignIn(t, address).Query()
	if back.Get("state") != a.State {
		t.Fatalf("the state came back as %q", back.Get("state"))
	}
	return oidc.Answer{Code: back.Get("code"), Issuer: back.Get("iss")}
}

func redeem(t *testing.T, r oidc.RelyingParty, p *Provider, wanted ...string) (oidc.Identity, error) {
	t.Helper()
	a := NewAttempt()
	return r.Redeem(t.Context(), p.Client(), a, begin(t, r, p, a), wanted...)
}

func want(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind || fault.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %s with %s", what, err, kind, code)
	}
}

var laws = map[string]func(t *testing.T, r oidc.RelyingParty){
	"AnIdentityIsWhatTheProviderSigned": func(t *testing.T, r oidc.RelyingParty) {
		p := Start(t)
		p.Be(Person{Subject: "ann-1", Claims: map[string]any{
			"preferred_username": "ann", "name": "Ann Lee", "email": "ann@example.org", "email_verified": true, "amr": []string{"pwd", "mfa"}, "sid": "there", "groups": []string{"a"},
			"auth_time": 1_700_000_000,
		}})
		got, err := redeem(t, r, p)
		if err != nil {
			t.Fatal(err)
		}
		if got.Issuer != p.Client().Issuer || got.Subject != "ann-1" || got.Username != "ann" || got.Name != "Ann Lee" || got.Email != "ann@example.org" ||
			!got.EmailVerified || !slices.Equal(got.Methods, []string{"pwd", "mfa"}) || got.Session != "there" || got.Token == "" || got.AuthenticatedAt.Unix() != 1_700_000_000 {
			t.Errorf("got %+v", got)
		}
		if groups, ok := got.Claims["groups"].([]any); !ok || len(groups) != 1 {
			t.Errorf("claims %v", got.Claims)
		}
	},
	"TheRequestHasStateNonceAndChallengeAndNoSecret": func(t *testing.T, r oidc.RelyingParty) {
		p, a := Start(t), NewAttempt()
		address, err := r.Authorize(t.Context(), p.Client(), a)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		for name, value := range map[string]string{
			"response_type": "code", "client_id": p.Client().ID, "redirect_uri": Home, "state": a.State, "nonce": a.Nonce, "code_challenge_method": "S256", "scope": "openid profile email", "prompt": "",
		} {
			if q.Get(name) != value {
				t.Errorf("%s is %q", name, q.Get(name))
			}
		}
		if strings.Contains(address, a.Verifier) || strings.Contains(address, p.Client().Secret) || len(q.Get("code_challenge")) != 43 {
			t.Errorf("got %s", address)
		}
		a.Anew = true
		if address, err = r.Authorize(t.Context(), p.Client(), a); err != nil || !strings.Contains(address, "prompt=login") || !strings.Contains(address, "max_age=") {
			t.Errorf("anew: %s, %v", address, err)
		}
	},
	"NoTokenPassesThatIsNotTheProvidersForThisSignIn": func(t *testing.T, r oidc.RelyingParty) {
		p := Start(t)
		set := func(name string, value any) Lie {
			return Lie{Token: func(_, claims map[string]any) {
				if claims[name] = value; value == nil {
					delete(claims, name)
				}
			}}
		}
		signed := func(algorithm string, key any) Lie {
			return Lie{Sign: func(header, claims map[string]any) string {
				header["alg"] = algorithm
				return Signed(header, claims, key)
			}}
		}
		modulus := &rsa.PublicKey{N: ownKey().N, E: ownKey().E}
		hour := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
		for name, lie := range map[string]Lie{
			"another nonce": set("nonce", "another"), "no nonce": set("nonce", nil), "another audience": set("aud", "another"), "no audience": set("aud", nil),
			"several audiences and no party": set("aud", []string{p.Client().ID, "another"}), "another party": set("azp", "another"),
			"another issuer": set("iss", "https://evil.example"), "no issuer": set("iss", nil), "an issuer with a slash": set("iss", p.Client().Issuer+"/"),
			"no subject": set("sub", nil), "expired": set("exp", hour(-time.Minute)), "no end": set("exp", nil), "not yet": set("nbf", hour(time.Hour)),
			"another access token": set("at_hash", base64.RawURLEncoding.EncodeToString(make([]byte, 16))),
			"unsigned":             signed("none", jwt.UnsafeAllowNoneSignatureType), "by the client secret": signed("HS256", []byte(p.Client().Secret)),
			"by the public key as a secret": signed("HS256", modulus.N.Bytes()), "by a key of somebody else": signed("RS256", foreignKey()),
			"cut off": {Sign: func(header, claims map[string]any) string {
				text := Signed(header, claims, ownKey())
				return text[:strings.LastIndex(text, ".")+1]
			}},
			"with a key of its own": {Sign: func(header, claims map[string]any) string {
				header["jwk"] = map[string]any{
					"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(foreignKey().N.Bytes()), "e": "AQAB", "kid": header["kid"],
				}
				return Signed(header, claims, foreignKey())
			}},
			"none at all":   {Sign: func(_, _ map[string]any) string { return "" }},
			"not even text": {Sign: func(_, _ map[string]any) string { return "a.b.c" }},
		} {
			p.Tell(lie)
			_, err := redeem(t, r, p)
			want(t, name, err, fault.Unauthenticated, oidc.CodeTokenInvalid)
		}
		p.Tell(Lie{Token: func(_, claims map[string]any) {
			claims["aud"], claims["azp"] = []string{p.Client().ID, "another"}, p.Client().ID
		}})
		if _, err := redeem(t, r, p); err != nil {
			t.Errorf("several audiences and this party: %v", err)
		}
	},
	"ACodeIsForOneAttemptAtOneProvider": func(t *testing.T, r oidc.RelyingParty) {
		p, other := Start(t), Start(t)
		a := NewAttempt()
		answer := begin(t, r, p, a)
		_, err := r.Redeem(t.Context(), other.Client(), a, answer)
		want(t, "at another provider, which announces its name", err, fault.Unauthenticated, oidc.CodeTokenInvalid)
		_, err = r.Redeem(t.Context(), other.Client(), a, oidc.Answer{Code: answer.Code, Issuer: other.Client().Issuer})
		want(t, "at another provider", err, fault.Unauthenticated, oidc.CodeCodeRefused)
		wrong := a
		wrong.Verifier = NewAttempt().Verifier
		_, err = r.Redeem(t.Context(), p.Client(), wrong, answer)
		want(t, "with another verifier", err, fault.Unauthenticated, oidc.CodeCodeRefused)
		answer = begin(t, r, p, a)
		wrong = a
		wrong.Nonce = NewAttempt().Nonce
		_, err = r.Redeem(t.Context(), p.Client(), wrong, answer)
		want(t, "with another nonce", err, fault.Unauthenticated, oidc.CodeTokenInvalid)
		_, err = r.Redeem(t.Context(), p.Client(), a, answer)
		want(t, "again", err, fault.Unauthenticated, oidc.CodeCodeRefused)
		for name, issuer := range map[string]string{"unnamed": "", "somebody else's": "https://evil.example"} {
			_, err = r.Redeem(t.Context(), p.Client(), a, oidc.Answer{Code: begin(t, r, p, a).Code, Issuer: issuer})
			want(t, "an answer that is "+name, err, fault.Unauthenticated, oidc.CodeTokenInvalid)
		}
		client := p.Client()
		client.Secret = "wrong"
		_, err = r.Redeem(t.Context(), client, a, begin(t, r, p, a))
		want(t, "with another secret", err, fault.Unauthenticated, oidc.CodeCodeRefused)
	},
	"ProvidersThatDoNotAnswerAreUnavailableAndNotWrong": func(t *testing.T, r oidc.RelyingParty) {
		p := Start(t)
		p.Tell(Lie{TokenEndpoint: func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "secret words", http.StatusInternalServerError)
		}})
		_, err := redeem(t, r, p)
		want(t, "an error there", err, fault.Unavailable, oidc.CodeUnreachable)
		p.Tell(Lie{TokenEndpoint: func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }})
		a := NewAttempt()
		answer := begin(t, r, p, a)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = r.Redeem(ctx, p.Client(), a, answer)
		want(t, "silence there", err, fault.Unavailable, oidc.CodeUnreachable)
		gone := p.Client()
		closed := httptest.NewServer(nil)
		gone.Issuer = closed.URL
		closed.Close()
		_, err = r.Discover(t.Context(), gone)
		want(t, "nobody there", err, fault.Unavailable, oidc.CodeUnreachable)
	},
	"WhatIsNoProviderIsRefused": func(t *testing.T, r oidc.RelyingParty) {
		p := Start(t)
		set := func(name string, value any) func(map[string]any) {
			return func(document map[string]any) {
				if document[name] = value; value == nil {
					delete(document, name)
				}
			}
		}
		for name, c := range map[string]struct {
			lie  func(map[string]any)
			code string
		}{
			"another issuer": {set("issuer", "https://evil.example"), oidc.CodeIssuerMismatch}, "no issuer": {set("issuer", nil), oidc.CodeIssuerMismatch},
			"no tokens": {set("token_endpoint", nil), oidc.CodeNoProvider}, "no keys": {set("jwks_uri", ""), oidc.CodeNoProvider},
			"a script for sign-in":   {set("authorization_endpoint", "javascript:alert(1)"), oidc.CodeNoProvider},
			"a file for tokens":      {set("token_endpoint", "file:///etc/passwd"), oidc.CodeNoProvider},
			"a script for sign-out":  {set("end_session_endpoint", "javascript:alert(1)"), oidc.CodeNoProvider},
			"no code flow":           {set("response_types_supported", []string{"id_token"}), oidc.CodeNoProvider},
			"no challenge by SHA256": {set("code_challenge_methods_supported", []string{"plain"}), oidc.CodeNoProvider},
		} {
			p.Tell(Lie{Discovery: c.lie})
			_, err := r.Discover(t.Context(), p.Client())
			want(t, name, err, fault.Invalid, c.code)
		}
		p.Tell(Lie{})
		empty := httptest.NewServer(http.NotFoundHandler())
		defer empty.Close()
		for issuer, code := range map[string]string{
			empty.URL: oidc.CodeNoProvider, p.Client().Issuer + "/": oidc.CodeIssuerMismatch, p.Client().Issuer + "?a=b": oidc.CodeNoProvider,
			"ftp://127.0.0.1/": oidc.CodeNoProvider, "": oidc.CodeNoProvider, "/etc": oidc.CodeNoProvider,
		} {
			_, err := r.Discover(t.Context(), oidc.Client{Issuer: issuer, ID: "x"})
			want(t, issuer, err, fault.Invalid, code)
		}
		m, err := r.Discover(t.Context(), p.Client())
		if err != nil || !m.SendsIssuer || m.EndSession != p.Client().Issuer+"/logout?flow=1" {
			t.Errorf("got %+v, %v", m, err)
		}
	},
	"WhatATokenLacksIsAskedForAndNeverReplaced": func(t *testing.T, r oidc.RelyingParty) {
		p := Start(t)
		more := map[string]any{"preferred_username": "ann", "email": "other@example.org", "groups": []string{"a"}}
		p.Be(Person{Subject: "ann-1", Claims: map[string]any{"email": "ann@example.org"}, UserInfo: more})
		got, err := redeem(t, r, p, "email", "groups")
		if err != nil || got.Username != "ann" || got.Email != "ann@example.org" || got.Claims["groups"] == nil {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err = redeem(t, r, p, "email"); err != nil || got.Username != "" {
			t.Errorf("it was asked for what the token has: %+v, %v", got, err)
		}
		p.Be(Person{Subject: "ann-1", UserInfo: map[string]any{"sub": "bob-1", "groups": []string{"a"}}})
		_, err = redeem(t, r, p, "groups")
		want(t, "somebody else's", err, fault.Unauthenticated, oidc.CodeTokenInvalid)
	},
	"LogoutTokensAreSignedForThisServerAndOfNow": func(t *testing.T, r oidc.RelyingParty) {
		p := Start(t)
		for name, c := range map[string][2]string{"of a person": {"ann-1", ""}, "of a session": {"", "there"}, "of both": {"ann-1", "there"}} {
			got, err := r.Logout(t.Context(), p.Client(), p.LogoutToken(t, c[0], c[1], nil))
			if err != nil || got.Subject != c[0] || got.Session != c[1] || time.Since(got.IssuedAt).Abs() > time.Minute {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		set := func(name string, value any) string {
			return p.LogoutToken(t, "ann-1", "there", func(_, claims map[string]any) {
				if claims[name] = value; value == nil {
					delete(claims, name)
				}
			})
		}
		forged := map[string]any{}
		if err := json.Unmarshal([]byte(`{"sub":"ann-1","jti":"x","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`), &forged); err != nil {
			t.Fatal(err)
		}
		forged["iss"], forged["aud"], forged["iat"], forged["exp"] = p.Client().Issuer, p.Client().ID, time.Now().Unix(), time.Now().Add(time.Minute).Unix()
		for name, token := range map[string]string{
			"nothing": "", "another issuer": set("iss", "https://evil.example"), "another audience": set("aud", "another"), "no event": set("events", map[string]any{}),
			"with a nonce, as an identity token": set("nonce", "x"), "expired": set("exp", time.Now().Add(-time.Minute).Unix()), "of yesterday": set("iat", time.Now().Add(-24*time.Hour).Unix()),
			"of no time": set("iat", nil), "of nobody": p.LogoutToken(t, "", "", nil), "by somebody else": Signed(p.header(), forged, foreignKey()),
			"unsigned":             Signed(map[string]any{"alg": "none"}, forged, jwt.UnsafeAllowNoneSignatureType),
			"by the client secret": Signed(map[string]any{"alg": "HS256"}, forged, []byte(p.Client().Secret)),
		} {
			_, err := r.Logout(t.Context(), p.Client(), token)
			want(t, name, err, fault.Unauthenticated, oidc.CodeTokenInvalid)
		}
	},
}
