package archive_test

import (
	"bytes"
	"encoding/binary"
)

// builder writes archives by hand: of versions that no pg_dump here writes, and
// damaged ones.
type builder struct {
	bytes.Buffer
	minor byte
}

type entry struct {
	id                     int
	data                   bool
	desc, schema, tag      string
	owner, defn, copy      string
	tablespace, accessMeth string
	section                int
	deps                   []string
}

func newArchive(minor byte, entries ...entry) *builder {
	b := &builder{minor: minor}
	b.WriteString("PGDMP")
	b.Write([]byte{1, minor, 0, 4, 8, 1})
	if minor >= 15 {
		b.WriteByte(0)
	} else {
		b.int(0)
	}
	for i := range 7 {
		b.int(i)
	}
	b.str("app")
	b.str("17.2")
	b.str("18.0")
	b.int(len(entries))
	for _, e := range entries {
		b.entry(e)
	}
	return b
}

func (b *builder) entry(e entry) {
	b.int(e.id)
	if e.data {
		b.int(1)
	} else {
		b.int(0)
	}
	b.str("1259")
	b.str("16384")
	b.str(e.tag)
	b.str(e.desc)
	b.int(max(e.section, 2))
	b.str(e.defn)
	b.int(-1) // no DROP
	b.str(e.copy)
	b.str(e.schema)
	b.str(e.tablespace)
	b.str(e.accessMeth)
	if b.minor >= 16 {
		b.int('r')
	}
	b.str(e.owner)
	b.str("false")
	for _, d := range e.deps {
		b.str(d)
	}
	b.int(-1)
	b.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0})
}

// rows writes a block of a table's rows in the chunks given.
func (b *builder) rows(id int, chunks ...string) *builder {
	b.WriteByte(1)
	b.int(id)
	for _, c := range chunks {
		b.str(c)
	}
	b.int(0)
	return b
}

type object struct {
	oid    int
	chunks []string
}

func (b *builder) objects(id int, objects ...object) *builder {
	b.WriteByte(3)
	b.int(id)
	for _, o := range objects {
		b.int(o.oid)
		for _, c := range o.chunks {
			b.str(c)
		}
		b.int(0)
	}
	b.int(0)
	return b
}

func (b *builder) int(n int) {
	sign := byte(0)
	if n < 0 {
		sign, n = 1, -n
	}
	b.WriteByte(sign)
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(n)))
}

func (b *builder) str(s string) {
	b.int(len(s))
	b.WriteString(s)
}

// split cuts s into pieces of n bytes.
func split(s string, n int) []string {
	var parts []string
	for len(s) > n {
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return append(parts, s)
}
