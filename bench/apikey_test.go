package bench_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/revenge-media/revenge/bench/measure"
	"github.com/revenge-media/revenge/core/apikey"
	"github.com/revenge-media/revenge/hosts/httpd"
)

// BenchmarkAPIKeyCheck compares what an API key may ask, which looks at the key, its owner and the key's limit each time, with the limit program's
// check of a bearer token, which looks at nothing but the token.
func BenchmarkAPIKeyCheck(b *testing.B) {
	for _, kind := range apiDatabases {
		b.Run(kind, func(b *testing.B) {
			s := serve(b, catalogueOf(b, kind, 10_000))
			ours, theirs := []request{s.keyRequest(b, api+"/users/me")}, []request{newRequest("/users/me", s.limitToken)}
			const clients = 16
			for b.Loop() {
				measure.Report(b, s.versus(b, clients, ours, theirs).AtLeast(0.7, "API, "+kind+", 10000 films", fmt.Sprintf("GET /users/me by an API key, %d clients", clients), "requests/s"))
			}
		})
	}
}

// keyRequest asks for a path by an API key of the member's, which is made for it and has no limit that a benchmark meets.
func (s *served) keyRequest(b *testing.B, path string) request {
	b.Helper()
	connection, err := dial(s.ours)
	if err != nil {
		b.Fatal(err)
	}
	defer connection.conn.Close()
	body := fmt.Sprintf(`{"name":"bench","permissions":["session.use"],"requestsPerMinute":%d}`, apikey.MaxRequestsPerMinute)
	post := newPost(api+"/users/me/api-keys", body)
	post.wire, post.status = withHeader(post.wire, "Authorization: Bearer "+s.token), 201
	status, answer, err := connection.do(post)
	var made httpd.NewAPIKey
	if err == nil {
		err = json.Unmarshal(answer, &made)
	}
	if err != nil || status != 201 {
		b.Fatalf("making a key is answered %d %s %v", status, answer, err)
	}
	return request{wire: withHeader(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path), "X-API-Key: "+made.Key), status: 200}
}

// withHeader adds a header behind a request's first line.
func withHeader(wire []byte, header string) []byte {
	for i := range wire {
		if wire[i] == '\n' {
			return fmt.Appendf(nil, "%s%s\r\n%s", wire[:i+1], header, wire[i+1:])
		}
	}
	return wire
}
