package asynqjobs

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// pipeline sends scripts that come together in one round trip: nearly all that Asynq asks of the server is scripts, and each of its goroutines would send its own.
type pipeline struct {
	scripts batcher[redis.Cmder, struct{}]
}

// pipelined has client send its scripts so.
func pipelined(client *redis.Client) *redis.Client {
	p := &pipeline{}
	p.scripts.most, p.scripts.lanes = batch, 2 // while one is under way the next one goes
	p.scripts.do = func(list []redis.Cmder) ([]struct{}, error) {
		ctx := context.Background()
		pipe := client.Pipeline()
		for _, cmd := range list {
			_ = pipe.Process(ctx, cmd)
		}
		_, _ = pipe.Exec(ctx) // each has its own error
		return make([]struct{}, len(list)), nil
	}
	client.AddHook(p)
	return client
}

func (p *pipeline) DialHook(next redis.DialHook) redis.DialHook { return next }

func (p *pipeline) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook waits for the answer, whatever becomes of ctx: the command is written to until then. The client's time limits bound that.
func (p *pipeline) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		_, _ = p.scripts.call(context.Background(), cmd)
		return cmd.Err()
	}
}
