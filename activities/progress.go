package activities

import (
	"context"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
)

// Progress is the heartbeat of a step.
type Progress struct {
	Doing          string `json:"doing"`
	Bytes          int64  `json:"bytes"`
	BytesPerSecond int64  `json:"bytesPerSecond"`
}

const heartbeatEvery = 2 * time.Second

// work is one running step: its context ends when the worker stops, and its
// heartbeats tell how far it is.
type work struct {
	bytes  atomic.Int64
	end    context.CancelCauseFunc
	done   chan struct{} // closed when the step has ended
	silent chan struct{} // closed when no heartbeat will be sent any more
}

// begin starts the heartbeats of a step. The caller must call finish with the
// step's error and return what it returns.
func begin(ctx context.Context, doing string) (context.Context, *work) {
	working, cancel := context.WithCancelCause(ctx)
	w := &work{end: cancel, done: make(chan struct{}), silent: make(chan struct{})}
	go w.beat(ctx, doing)
	return working, w
}

func (w *work) beat(ctx context.Context, doing string) {
	defer close(w.silent)
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	started := time.Now()
	for {
		n := w.bytes.Load()
		rate := int64(float64(n) / max(time.Since(started).Seconds(), 0.001))
		activity.RecordHeartbeat(ctx, Progress{Doing: doing, Bytes: n, BytesPerSecond: rate})
		select {
		case <-ticker.C:
		case <-activity.GetWorkerStopChannel(ctx):
			w.end(errStopping)
			return
		case <-w.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// progress takes the bytes so far.
func (w *work) progress(bytes int64) { w.bytes.Store(bytes) }

// finish stops the heartbeats and classifies the step's error.
func (w *work) finish(ctx context.Context, err error) error {
	close(w.done)
	<-w.silent
	err = classify(ctx, err)
	w.end(nil)
	return err
}
