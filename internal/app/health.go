package app

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The states that /ready reports.
const (
	stateOK       = "ok"
	stateDegraded = "degraded" // named, but playbooks go on: they retry
	stateDown     = "down"
)

// Condition is the state of one thing the worker depends on.
type Condition struct {
	State string    `json:"state"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"`
}

const (
	checkEvery   = 15 * time.Second
	checkTimeout = 10 * time.Second
)

// health keeps the conditions; they are looked at every checkEvery, so that a
// probe of /ready costs nothing and never hangs.
type health struct {
	configs *configs
	client  client.Client
	queues  []string
	log     *zap.Logger

	mu           sync.Mutex
	temporal     Condition
	destinations map[string]Condition
}

func newHealth(c *configs, temporal client.Client, queues []string, log *zap.Logger) *health {
	return &health{configs: c, client: temporal, queues: queues, log: log, destinations: map[string]Condition{}}
}

// watch looks until ctx ends.
func (h *health) watch(ctx context.Context) error {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		h.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *health) look(ctx context.Context) {
	h.note(ctx, "temporal", stateDown, func(ctx context.Context) error {
		_, err := h.client.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	})
	cfg, err := h.configs.load()
	h.note(ctx, "config", stateDegraded, func(context.Context) error { return err })
	if err != nil {
		return
	}
	for _, dest := range cfg.DestinationSpecs() {
		h.note(ctx, dest.Name, stateDegraded, func(ctx context.Context) error { return checkDestination(ctx, h.configs, dest) })
	}
}

func checkDestination(ctx context.Context, c *configs, dest recovery.DestinationSpec) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	v, err := OpenVault(ctx, cfg, dest)
	if err != nil {
		return err
	}
	defer func() { _ = v.Close() }()
	return v.Check(ctx)
}

// note runs a check and keeps since when its state is what it is.
func (h *health) note(ctx context.Context, name, badState string, check func(context.Context) error) {
	checkCtx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	next := Condition{State: stateOK, Since: time.Now().UTC()}
	if err := check(checkCtx); err != nil {
		next.State, next.Error = badState, err.Error()
	}
	if ctx.Err() != nil {
		return // the worker stops: that says nothing
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.destinations[name]
	if name == "temporal" {
		before = h.temporal
	}
	if before.State == next.State {
		next.Since = before.Since
	} else {
		h.log.Info("dependency changed", zap.String("name", name), zap.String("state", next.State), zap.String("error", next.Error))
	}
	if name == "temporal" {
		h.temporal = next
	} else {
		h.destinations[name] = next
	}
}

// readiness is the answer of /ready.
type readiness struct {
	Ready        bool                 `json:"ready"`
	Queues       []string             `json:"queues"`
	Temporal     Condition            `json:"temporal"`
	Destinations map[string]Condition `json:"destinations"`
}

// handler serves /health (the process is alive) and /ready (Temporal decides;
// each destination is named with its state and since when).
func (h *health) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		h.answer(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		r := h.readiness()
		status := http.StatusOK
		if !r.Ready {
			status = http.StatusServiceUnavailable
		}
		h.answer(w, status, r)
	})
	return mux
}

func (h *health) readiness() readiness {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := readiness{Ready: h.temporal.State == stateOK, Queues: h.queues, Temporal: h.temporal, Destinations: map[string]Condition{}}
	maps.Copy(r.Destinations, h.destinations)
	return r
}

func (h *health) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(body); err != nil {
		h.log.Debug("answer health request", zap.Error(err))
	}
}
