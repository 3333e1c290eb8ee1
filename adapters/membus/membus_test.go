package membus_test

import (
	"testing"

	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/testkit/bustest"
)

func TestConformance(t *testing.T) {
	bustest.Run(t, func(*testing.T) bus.Bus { return membus.New() })
}
