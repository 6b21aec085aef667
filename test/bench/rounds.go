package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// contender is one way of doing what the others of its contest do as well.
type contender struct {
	name    string
	prepare func(context.Context) error // not timed; may be nil
	run     func(context.Context) (time.Duration, error)
}

// compete times the contenders in turn, A B C A B C …, so that what changes on
// the machine meanwhile meets all of them.
func (b *bench) compete(ctx context.Context, title string, contenders []contender) ([]row, error) {
	times := make([][]time.Duration, len(contenders))
	for round := range b.rounds {
		for i, c := range contenders {
			if c.prepare != nil {
				if err := c.prepare(ctx); err != nil {
					return nil, fmt.Errorf("prepare %s: %w", c.name, err)
				}
			}
			if err := b.settle(ctx); err != nil {
				return nil, err
			}
			took, err := c.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("time %s: %w", c.name, err)
			}
			b.say("%s, round %d of %d: %.2f s  %s", title, round+1, b.rounds, took.Seconds(), c.name)
			times[i] = append(times[i], took)
		}
	}
	rows := make([]row, len(contenders))
	for i, c := range contenders {
		rows[i] = newRow(c.name, times[i], times[0])
	}
	return rows, nil
}

// row says how a contender did. Its ratio to the first contender is the median of
// the ratios within each round; min and max are the smallest and largest of them.
type row struct {
	Name    string    `json:"name"`
	Median  float64   `json:"medianSeconds"`
	Ratio   float64   `json:"ratio"`
	Min     float64   `json:"minRatio"`
	Max     float64   `json:"maxRatio"`
	Seconds []float64 `json:"seconds"` // of each round
}

func newRow(name string, times, first []time.Duration) row {
	r := row{Name: name}
	var ratios []float64
	for i, t := range times {
		r.Seconds = append(r.Seconds, t.Seconds())
		ratios = append(ratios, t.Seconds()/first[i].Seconds())
	}
	r.Median, r.Ratio = median(r.Seconds), median(ratios)
	r.Min, r.Max = slices.Min(ratios), slices.Max(ratios)
	return r
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// loadAverage says how busy the machine was, as far as that is known: the ratios
// of a busy machine say little.
func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(data), " ")
	return load
}
