package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// What the bench wants.
const (
	maxBackupRatio  = 1.5
	maxRestoreRatio = 1.0
	maxStoredRatio  = 1.02
	maxExpectRatio  = 1.5 // a wait would cost a second for each part: ten times the upload
	maxMemory       = 128 // MiB
)

// result is all that was measured.
type result struct {
	Started     time.Time `json:"started"`
	Load        string    `json:"loadAverage"` // before the start
	Rounds      int       `json:"rounds"`
	DiskBytes   int64     `json:"diskBytes"`   // of the database
	PlainBytes  int64     `json:"plainBytes"`  // of its dump
	StoredBytes int64     `json:"storedBytes"` // of the sealed object
	ZstdBytes   int64     `json:"zstdBytes"`   // what zstd -3 makes of the dump
	Backup      []row     `json:"backup"`
	Restore     []row     `json:"restore"`
	Expect      []row     `json:"expect"`
	Expecting   int64     `json:"expecting"` // requests of these uploads that came with "Expect: 100-continue"
	Memory      []memory  `json:"memory"`
	Targets     []target  `json:"targets"`
}

// memory is the worker's peak for one size.
type memory struct {
	Gigabytes float64 `json:"gigabytes"`
	Bytes     int64   `json:"bytes"`
	Seconds   float64 `json:"seconds"` // of backup and verification
}

// target is what was wanted and what was found.
type target struct {
	What   string  `json:"what"`
	Actual float64 `json:"actual"`
	Limit  float64 `json:"limit"`
	Digits int     `json:"-"` // after the point
	Met    bool    `json:"met"`
}

func last(rows []row) row { return rows[len(rows)-1] }

// judge compares what was found with what is wanted.
func (r *result) judge() {
	want := func(what string, digits int, actual, limit float64) {
		r.Targets = append(r.Targets, target{What: what, Digits: digits, Actual: actual, Limit: limit, Met: actual <= limit})
	}
	want("backup ÷ pg_dump > /dev/null", 2, last(r.Backup).Ratio, maxBackupRatio)
	want("restore ÷ pg_restore -j2 from a local file", 2, last(r.Restore).Ratio, maxRestoreRatio)
	for _, m := range r.Memory {
		want(fmt.Sprintf("worker's peak memory at %g GB, in MiB", m.Gigabytes), 0, float64(m.Bytes)/(1<<20), maxMemory)
	}
	want("stored bytes ÷ zstd -3", 3, float64(r.StoredBytes)/float64(r.ZstdBytes), maxStoredRatio)
	want("upload where Expect is ignored ÷ answered", 2, last(r.Expect).Ratio, maxExpectRatio)
}

func (r *result) missed() (n int) {
	for _, t := range r.Targets {
		if !t.Met {
			n++
		}
	}
	return n
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

// print writes the tables for a person.
func (r *result) print(out io.Writer) error {
	const mb = 1e6
	var text strings.Builder
	fmt.Fprintf(&text, "\n%.0f MB on disk, %.0f MB as a plain dump; medians of %d rounds in turn; %d CPUs; load %s before the start\n",
		float64(r.DiskBytes)/mb, float64(r.PlainBytes)/mb, r.Rounds, runtime.NumCPU(), r.Load)
	for _, table := range []struct {
		title string
		rows  []row
	}{{"backup", r.Backup}, {"restore", r.Restore}, {fmt.Sprintf("upload of %s, %d requests with Expect", mebibytes(expectBytes), r.Expecting), r.Expect}} {
		fmt.Fprintf(&text, "\n%-52s %8s %7s  %s\n", table.title, "seconds", "ratio", "min–max")
		for _, row := range table.rows {
			fmt.Fprintf(&text, "%-52s %8.2f %7.2f  %.2f–%.2f\n", row.Name, row.Median, row.Ratio, row.Min, row.Max)
		}
	}
	fmt.Fprintf(&text, "\n%-52s %8s %7s\n", "target", "found", "at most")
	for _, t := range r.Targets {
		verdict := "met"
		if !t.Met {
			verdict = "MISSED"
		}
		fmt.Fprintf(&text, "%-52s %8.*f %7.*f  %s\n", t.What, t.Digits, t.Actual, t.Digits, t.Limit, verdict)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// write keeps the result for programs.
func (r *result) write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}
