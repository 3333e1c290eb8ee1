package otter_test

import (
	"testing"

	"github.com/revenge-media/revenge/adapters/otter"
	"github.com/revenge-media/revenge/testkit/cachetest"
)

func TestConformance(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) cachetest.Harness {
		c, err := otter.Open(t.Context(), otter.Config{MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return cachetest.Harness{Cache: c, MaxBytes: 1 << 20}
	})
}
