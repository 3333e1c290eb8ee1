package oidcrp_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/revenge-media/revenge/adapters/oidcrp"
	"github.com/revenge-media/revenge/ports/oidc"
	"github.com/revenge-media/revenge/testkit/oidctest"
)

func TestRelyingParty(t *testing.T) {
	t.Parallel()
	oidctest.Run(t, func(t *testing.T) oidc.RelyingParty {
		client := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(client.CloseIdleConnections)
		return oidcrp.New(oidcrp.Config{Client: func(*url.URL) *http.Client { return client }})
	})
}
