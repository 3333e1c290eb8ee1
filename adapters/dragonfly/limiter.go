package dragonfly

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/revenge-media/revenge/ports/ratelimit"
)

// Limiter is ports/ratelimit over all processes, by the server's time.
type Limiter struct{ conn *Conn }

var _ ratelimit.Limiter = (*Limiter)(nil)

// Limiter returns the server as a limiter.
func (c *Conn) Limiter() *Limiter { return &Limiter{c} }

// gcraScript is GCRA (ITU-T I.371): KEYS the theoretical arrival time in microseconds; ARGV interval and burst in microseconds. It returns whether the
// request may happen, when the next may, and when the key will have used up nothing. Microseconds since 1970 are exact in a Lua number.
var gcraScript = rueidis.NewLuaScript(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local next = arrival + interval
local early = next - now - burst
if early > 0 then
  return {0, string.format('%.0f', early), string.format('%.0f', arrival - now)}
end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', string.format('%.0f', math.ceil((next - now) / 1000)))
return {1, '0', string.format('%.0f', next - now)}
`)

// Allow implements ratelimit.Limiter.
func (l *Limiter) Allow(ctx context.Context, key string, rate ratelimit.Rate) (ratelimit.Decision, error) {
	if err := rate.Check(); err != nil {
		return ratelimit.Decision{}, err
	}
	interval := max(rate.Interval().Microseconds(), 1)
	burst := interval * int64(rate.Size())
	return call(ctx, l.conn, asking, func(ctx context.Context, r rueidis.Client) (d ratelimit.Decision, err error) {
		reply, err := gcraScript.Exec(ctx, r, []string{l.conn.key("r", key)}, []string{strconv.FormatInt(interval, 10), strconv.FormatInt(burst, 10)}).AsIntSlice()
		if err != nil {
			return d, err
		}
		d = ratelimit.Decision{Allowed: reply[0] == 1, RetryAfter: time.Duration(reply[1]) * time.Microsecond, ResetAfter: time.Duration(reply[2]) * time.Microsecond}
		if d.Allowed {
			d.Remaining = int((burst - reply[2]) / interval)
		}
		return d, nil
	})
}

func text(d time.Duration) string { return strconv.FormatInt(milliseconds(d), 10) }
