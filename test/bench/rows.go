package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

const (
	tenants     = 500
	vocabulary  = 4000
	commonWords = 1 << 16
)

// events makes rows that look like a small service's: skewed words and tenants,
// random ids and addresses. The same row is the same in every run.
type events struct {
	words  []string // of one to four syllables
	common []string // words as often as a text would use them
	random *rand.Rand
	source *rand.PCG
}

func newEvents() *events {
	e := &events{source: rand.NewPCG(0, 0)}
	e.random = rand.New(e.source)
	syllables := strings.Fields("ba re ti con der lo men sta tion pre al ver in quo ship er ing ly pro ment")
	for i := range vocabulary {
		var word strings.Builder
		for range 1 + i%4 {
			word.WriteString(pick(e.random, syllables))
		}
		e.words = append(e.words, word.String())
	}
	for range commonWords {
		e.common = append(e.common, e.words[e.skewed(3, vocabulary)])
	}
	return e
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// skewed chooses a number below n; the higher the power, the more often a small
// one.
func (e *events) skewed(power, n int) int {
	x := 1.0
	f := e.random.Float64()
	for range power {
		x *= f
	}
	return int(x * float64(n))
}

var (
	kinds      = []string{"login", "order.created", "order.paid", "invoice.sent", "page.view", "webhook.failed"}
	currencies = []string{"EUR", "USD", "GBP"}
	firstEvent = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
)

// append adds row id in the text format of COPY.
func (e *events) append(row []byte, id int) []byte {
	e.source.Seed(uint64(id), 0)
	r := e.random
	at := firstEvent.Add(time.Duration(id)*77*time.Second + time.Duration(r.IntN(60_000_000))*time.Microsecond)
	row = fmt.Appendf(row, "%d\t%d\t%s\t%s\t%s.%d@%s.example\t", id, 1+e.skewed(2, tenants), at.Format("2006-01-02T15:04:05.000000Z07:00"),
		pick(r, kinds), pick(r, e.words), r.IntN(99_999), e.words[r.IntN(300)])
	for i := range 20 + id%60 {
		if i > 0 {
			row = append(row, ' ')
		}
		row = append(row, pick(r, e.common)...)
	}
	return e.appendPayload(append(row, '\t'))
}

func (e *events) appendPayload(row []byte) []byte {
	r := e.random
	row = fmt.Appendf(row, `{"request_id": "%08x-%04x-%04x-%04x-%012x", `, r.Uint32(), r.Uint32()>>16, r.Uint32()>>16, r.Uint32()>>16, r.Uint64()>>16)
	row = fmt.Appendf(row, `"ip": "10.%d.%d.%d", "amount": %.2f, "currency": "%s", `, r.IntN(256), r.IntN(256), r.IntN(256), r.Float64()*1000, pick(r, currencies))
	row = fmt.Appendf(row, `"ua": "Mozilla/5.0 (X11; Linux x86_64) Chrome/%d", "tags": ["%s", "%s"], `, 90+r.IntN(40), e.words[r.IntN(50)], e.words[r.IntN(50)])
	return fmt.Appendf(row, `"items": [{"sku": "SKU-%d", "qty": %d}, {"sku": "SKU-%d", "qty": 1}]}`+"\n", r.IntN(9999), 1+r.IntN(4), r.IntN(9999))
}

// writeEvents writes rows 1 to count.
func writeEvents(w io.Writer, count int) error {
	e := newEvents()
	out := bufio.NewWriterSize(w, 1<<20)
	var row []byte
	for id := range count {
		row = e.append(row[:0], id+1)
		if _, err := out.Write(row); err != nil {
			return err
		}
	}
	return out.Flush()
}
