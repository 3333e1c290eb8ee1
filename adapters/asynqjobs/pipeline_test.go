package asynqjobs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// TestEachScriptGetsItsOwnAnswer runs many at once: some answer, some answer nothing, some fail; and then there is no server.
func TestEachScriptGetsItsOwnAnswer(t *testing.T) {
	t.Parallel()
	url := os.Getenv("REVENGE_TEST_REDIS")
	if url == "" {
		t.Skip("set REVENGE_TEST_REDIS to a Redis to run this")
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := pipelined(redis.NewClient(options))
	script := redis.NewScript(`if ARGV[1] % 3 == 1 then return nil elseif ARGV[1] % 3 == 2 then return redis.error_reply("NO " .. ARGV[1]) end return ARGV[1]`)
	var group sync.WaitGroup
	for n := range 300 {
		group.Go(func() {
			text, err := script.Run(t.Context(), client, nil, n).Text()
			switch n % 3 {
			case 0:
				if text != fmt.Sprint(n) || err != nil {
					t.Errorf("%d is answered %q, %v", n, text, err)
				}
			case 1:
				if !errors.Is(err, redis.Nil) {
					t.Errorf("%d is answered %q, %v instead of nothing", n, text, err)
				}
			default:
				if err == nil || !strings.Contains(err.Error(), fmt.Sprint("NO ", n)) {
					t.Errorf("%d is answered %q, %v", n, text, err)
				}
			}
		})
	}
	group.Wait()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := script.Run(t.Context(), client, nil, 0).Err(); err == nil {
		t.Error("a script runs without a server")
	}
}
