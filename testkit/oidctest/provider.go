// Package oidctest holds relying parties of ports/oidc to its comments, against a provider that tells the truth or lies as it is told to.
package oidctest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"

	"github.com/revenge-media/revenge/ports/oidc"
)

// The provider's key, and that of somebody else: made once, since that takes long.
var (
	ownKey, foreignKey = sync.OnceValue(newKey), sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // there is no randomness
	}
	return key
}

// Provider is an OpenID Connect provider on loopback whose only client is this server. It asks nobody for a password.
type Provider struct {
	mock *mockoidc.MockOIDC

	mu     sync.Mutex
	person Person
	lie    Lie
}

// Person is somebody who signs in at a Provider.
type Person struct {
	Subject string
	// Claims stand in identity tokens, UserInfo is only told when asked for besides.
	Claims, UserInfo map[string]any
}

// Lie is how a Provider departs from the truth; the zero Lie is none.
type Lie struct {
	// Token changes an identity token before it is signed; header holds what goes before the claims.
	Token func(header, claims map[string]any)
	// Sign makes the token from its header and claims; nil signs as the header says with the provider's key.
	Sign func(header, claims map[string]any) string
	// Discovery changes the discovery document.
	Discovery func(document map[string]any)
	// Answer changes what the browser brings back.
	Answer func(query url.Values)
	// TokenEndpoint stands in for the token endpoint.
	TokenEndpoint http.HandlerFunc
}

// Start starts a provider that ends with the test.
func Start(t testing.TB) *Provider {
	t.Helper()
	mock, err := mockoidc.NewServer(ownKey())
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{mock: mock, person: Person{Subject: "somebody"}}
	if err := mock.AddMiddleware(p.around); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := mock.Start(listener, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mock.Server.Close() })
	return p
}

// Client is this server as the provider knows it.
func (p *Provider) Client() oidc.Client {
	return oidc.Client{Issuer: p.mock.Issuer(), ID: p.mock.ClientID, Secret: p.mock.ClientSecret, Scopes: []string{"openid", "profile", "email"}}
}

// Be says who signs in from now on.
func (p *Provider) Be(who Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person = who
}

// Tell makes the provider lie from now on, or tell the truth again.
func (p *Provider) Tell(lie Lie) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie = lie
}

// SignIn goes to the address where the person signs in, as a browser does, and returns where they are sent back to.
func (p *Provider) SignIn(t testing.TB, address string) *url.URL {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	back, err := answer.Location()
	if err != nil || answer.StatusCode != http.StatusFound {
		t.Fatalf("the provider answers %s, %v", answer.Status, err)
	}
	return back
}

// LogoutToken is what the provider sends when sessions end: of a subject, of its session, or whatever change makes of it.
func (p *Provider) LogoutToken(t testing.TB, subject, session string, change func(header, claims map[string]any)) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": p.mock.Issuer(), "aud": p.mock.ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if subject != "" {
		claims["sub"] = subject
	}
	if session != "" {
		claims["sid"] = session
	}
	header := p.header()
	header["typ"] = "logout+jwt"
	if change != nil {
		change(header, claims)
	}
	return Signed(header, claims, ownKey())
}

func (p *Provider) header() map[string]any {
	id, err := p.mock.Keypair.KeyID()
	if err != nil {
		panic(err) // a key that was made here
	}
	return map[string]any{"alg": "RS256", "typ": "JWT", "kid": id}
}

// Signed is a compact JWS of any header and claims, with a key that suits the algorithm: an RSA key, bytes, or what jwt takes for none.
func Signed(header, claims map[string]any, key any) string {
	name, _ := header["alg"].(string)
	token := jwt.NewWithClaims(jwt.GetSigningMethod(name), jwt.MapClaims(claims))
	token.Header = header
	text, err := token.SignedString(key)
	if err != nil {
		panic(err) // a test's own mistake
	}
	return text
}

// around is the provider's honesty: it lets the mock answer, completes what that leaves out, and then lies if it should.
func (p *Provider) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		lie, person := p.lie, p.person
		p.mu.Unlock()
		if r.URL.Path == mockoidc.TokenEndpoint && lie.TokenEndpoint != nil {
			lie.TokenEndpoint(w, r)
			return
		}
		if id, secret, ok := r.BasicAuth(); ok && r.ParseForm() == nil { // the mock promises it and takes forms only
			id, _ = url.QueryUnescape(id)
			secret, _ = url.QueryUnescape(secret)
			r.Form.Set("client_id", id)
			r.Form.Set("client_secret", secret)
		}
		recorder := httptest.NewRecorder()
		p.mu.Lock() // the mock's maps are nobody's to share
		if r.URL.Path == mockoidc.AuthorizationEndpoint {
			p.mock.QueueUser(mockUser{person})
		}
		next.ServeHTTP(recorder, r)
		p.mu.Unlock()
		body := recorder.Body.Bytes()
		switch {
		case r.URL.Path == mockoidc.AuthorizationEndpoint && recorder.Code == http.StatusFound:
			back, err := url.Parse(recorder.Header().Get("Location"))
			if err != nil {
				panic(err)
			}
			query := back.Query()
			query.Set("iss", p.mock.Issuer())
			if lie.Answer != nil {
				lie.Answer(query)
			}
			back.RawQuery = query.Encode()
			recorder.Header().Set("Location", back.String())
		case r.URL.Path == mockoidc.DiscoveryEndpoint:
			body = changed(body, func(document map[string]any) {
				document["authorization_response_iss_parameter_supported"] = true
				document["end_session_endpoint"] = p.mock.Issuer() + "/logout?flow=1"
				if lie.Discovery != nil {
					lie.Discovery(document)
				}
			})
		case r.URL.Path == mockoidc.TokenEndpoint && recorder.Code == http.StatusOK:
			body = changed(body, func(answer map[string]any) { p.rewrite(answer, lie) })
		}
		maps.Copy(w.Header(), recorder.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(body)
	})
}

// rewrite puts an access token's hash into the identity token, and whatever lie is to be told.
func (p *Provider) rewrite(answer map[string]any, lie Lie) {
	raw, _ := answer["id_token"].(string)
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return
	}
	access, _ := answer["access_token"].(string)
	sum := sha256.Sum256([]byte(access))
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	answer["id_token"] = ""
	header := p.header()
	_ = changed(data, func(claims map[string]any) {
		claims["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
		if lie.Token != nil {
			lie.Token(header, claims)
		}
		if lie.Sign != nil {
			answer["id_token"] = lie.Sign(header, claims)
		} else {
			answer["id_token"] = Signed(header, claims, ownKey())
		}
	})
}

// changed is a JSON object after a change.
func changed(data []byte, change func(map[string]any)) []byte {
	object := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		panic(err)
	}
	change(object)
	data, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return data
}

// mockUser is a Person as the mock takes them.
type mockUser struct{ Person }

// ID implements mockoidc.User.
func (u mockUser) ID() string { return u.Person.Subject }

// Userinfo implements mockoidc.User.
func (u mockUser) Userinfo([]string) ([]byte, error) {
	told := map[string]any{"sub": u.Person.Subject}
	maps.Copy(told, u.Person.UserInfo)
	return json.Marshal(told)
}

// Claims implements mockoidc.User.
func (u mockUser) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	data, err := json.Marshal(base)
	if err != nil {
		return nil, err
	}
	claims := jwt.MapClaims{}
	if err := json.Unmarshal(data, &claims); err != nil {
		return nil, err
	}
	maps.Copy(claims, u.Person.Claims)
	return claims, nil
}
