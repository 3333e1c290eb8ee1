package memlocks_test

import (
	"testing"

	"github.com/revenge-media/revenge/adapters/memlocks"
	"github.com/revenge-media/revenge/ports/locks"
	"github.com/revenge-media/revenge/testkit/lockstest"
)

func TestConformance(t *testing.T) {
	lockstest.Run(t, func(*testing.T) (a, b locks.Locker) { l := memlocks.New(); return l, l })
}
