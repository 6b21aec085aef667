package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts and times requests by route.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	errors   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "where2eat_requests_total", Help: "Requests answered."}, []string{"route", "code"}),
		errors:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "where2eat_errors_total", Help: "Requests answered with a status of 500 or more."}, []string{"route"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "where2eat_request_seconds", Help: "Time to answer a request.", Buckets: prometheus.DefBuckets}, []string{"route"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "where2eat_build_info", Help: "1, labelled with what runs.",
		ConstLabels: prometheus.Labels{"release": release, "commit": commit},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.errors, m.seconds, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// watch measures every request that next answers.
func (m *metrics) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, seen := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		route := r.Pattern // set by the mux while it answered
		if route == "" {
			route = "other"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(seen.status)).Inc()
		m.seconds.WithLabelValues(route).Observe(time.Since(begun).Seconds())
		if seen.status >= http.StatusInternalServerError {
			m.errors.WithLabelValues(route).Inc()
		}
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
