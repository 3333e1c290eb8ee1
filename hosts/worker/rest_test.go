package worker

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revenge-media/revenge/ports/jobs"
)

func TestARestFollowsTheLastOfTheJobsThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rests := 0
		r := &rest{give: func() { rests++ }, wait: restAfter}
		handler := r.after([]jobs.Definition{{Handler: func(context.Context, jobs.Run) error {
			time.Sleep(restAfter * 2)
			return nil
		}}})[0].Handler
		var work sync.WaitGroup
		run := func() { _ = handler(t.Context(), jobs.Run{}) }
		expect := func(want int, when string) {
			t.Helper()
			synctest.Wait()
			if rests != want {
				t.Errorf("%s: %d rests, want %d", when, rests, want)
			}
		}
		work.Go(run)
		time.Sleep(restAfter)
		work.Go(run)
		work.Wait()
		time.Sleep(restAfter / 2)
		expect(0, "soon after the last")
		work.Go(run)
		time.Sleep(restAfter)
		expect(0, "while another runs")
		work.Wait()
		time.Sleep(restAfter + time.Second)
		expect(1, "in the pause")
		time.Sleep(time.Hour)
		expect(1, "in a long pause")
		run()
		r.stop()
		time.Sleep(time.Hour)
		expect(1, "after the end")
	})
}
