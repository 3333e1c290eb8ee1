package assemble

import (
	"context"

	"github.com/revenge-media/revenge/adapters/dragonfly"
	"github.com/revenge-media/revenge/adapters/membus"
	"github.com/revenge-media/revenge/adapters/memlimit"
	"github.com/revenge-media/revenge/adapters/memlocks"
	"github.com/revenge-media/revenge/core/limiting"
	"github.com/revenge-media/revenge/hosts/config"
	"github.com/revenge-media/revenge/ports/bus"
	"github.com/revenge-media/revenge/ports/cache"
	"github.com/revenge-media/revenge/ports/locks"
	"github.com/revenge-media/revenge/ports/ratelimit"
)

// sharing is what processes of one installation have in common, or what a single one needs instead.
type sharing struct {
	cache   cache.Shared // nil: none
	bus     bus.Bus
	limiter ratelimit.Limiter
	locks   locks.Locker
	close   func() error
}

// share connects to the server that the configuration names. Without one this process is on its own.
func share(ctx context.Context, c config.Config, o Options) (sharing, error) {
	local := memlimit.New(memlimit.Config{Now: o.Now})
	if c.Cache.URL == "" {
		return sharing{bus: membus.New(), limiter: local, locks: memlocks.New(), close: func() error { return nil }}, nil
	}
	conn, err := dragonfly.Open(ctx, c.Cache.URL, dragonfly.Options{
		Prefix: c.Cache.Prefix, NoClientCaching: !c.Cache.ClientCaching, Timeout: c.Cache.Timeout, Logger: o.Logger,
	})
	if err != nil {
		return sharing{}, err
	}
	return sharing{
		cache: conn.Shared(), bus: conn.Bus(), locks: conn.Locker(), close: conn.Close,
		limiter: limiting.New(limiting.Deps{Shared: conn.Limiter(), Local: local, Logger: o.Logger}),
	}, nil
}
