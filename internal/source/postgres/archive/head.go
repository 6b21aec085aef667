package archive

import (
	"errors"
	"fmt"
	"strconv"
)

// maxHead bounds the head of an archive in bytes. Memory grows with what has been
// read, never with what a length claims.
const maxHead = 512 << 20

// Header says where an archive comes from.
type Header struct {
	Version       string // of the format, e.g. "1.14"
	Database      string // that was dumped
	ServerVersion string // e.g. "15.18 (Debian 15.18-0+deb12u1)"
	DumpVersion   string // of pg_dump, in the same form
}

// Section says in which part of a restore an entry belongs.
type Section int

// The sections, numbered as in the archive. An entry of SectionNone belongs where
// the entry before it does.
const (
	SectionNone Section = iota + 1
	SectionPreData
	SectionData
	SectionPostData
)

// Entry is one line of an archive's table of contents.
type Entry struct {
	ID         int
	HadData    bool // a block of data follows
	Desc       string
	Section    Section
	Namespace  string
	Tag        string // the object's name; for some kinds, its parent's before it
	Owner      string
	Defn       string // SQL that makes it
	Drop       string // SQL that drops it
	Copy       string // the COPY statement that its data is for
	Tablespace string
	TableAM    string
	Deps       []int // ids of the entries that it needs
}

// The kinds of entry that carry data.
const (
	descTable        = "TABLE DATA"
	descLargeObjects = "BLOBS"
)

// title names the entry for people.
func (e *Entry) title() string {
	switch e.Desc {
	case descLargeObjects:
		return "large objects"
	case descTable:
		return "table " + e.Namespace + "." + e.Tag
	}
	return e.Desc + " " + e.Tag
}

// headParser reads the head and keeps its bytes.
type headParser struct {
	in    *input
	bytes []byte
	minor int
	err   error // the first; everything read after it is zero
}

// take reads n bytes. They are valid until the next call.
func (p *headParser) take(n int) []byte {
	start := len(p.bytes)
	if p.err == nil && (n < 0 || n > maxHead-start) {
		p.err = fmt.Errorf("a length of %d is out of bounds", n)
	}
	for p.err == nil && len(p.bytes) < start+n {
		if p.err = p.in.inside(1); p.err != nil {
			break
		}
		part := min(start+n-len(p.bytes), p.in.end-p.in.pos)
		p.bytes = append(p.bytes, p.in.buf[p.in.pos:p.in.pos+part]...)
		p.in.pos += part
	}
	if p.err != nil {
		return make([]byte, 8) // as many as any caller but str looks at
	}
	return p.bytes[start:]
}

func (p *headParser) byte() byte { return p.take(1)[0] }

func (p *headParser) int() int {
	v, err := decodeInt(p.take(encodedInt))
	if p.err == nil {
		p.err = err
	}
	return v
}

// str reads a string; ok is false for NULL.
func (p *headParser) str() (s string, ok bool) {
	n := p.int()
	if n == -1 || p.err != nil {
		return "", false
	}
	b := p.take(n)
	if p.err != nil {
		return "", false
	}
	return string(b), true
}

func (p *headParser) text() string {
	s, _ := p.str()
	return s
}

// header reads all that stands before the table of contents.
func (p *headParser) header() Header {
	if string(p.take(5)) != "PGDMP" || p.err != nil {
		p.fail(errors.New("it is not a PostgreSQL custom archive"))
		return Header{}
	}
	major := p.byte()
	p.minor = int(p.byte())
	p.byte() // revision
	if p.err == nil && (major != 1 || p.minor < 14 || p.minor > 16) {
		p.err = fmt.Errorf("its version is %d.%d, not one of 1.14 to 1.16", major, p.minor)
	}
	if n := p.byte(); p.err == nil && n != intSize {
		p.err = fmt.Errorf("its numbers have %d bytes, not %d", n, intSize)
	}
	if n := p.byte(); p.err == nil && n != 8 {
		p.err = fmt.Errorf("its offsets have %d bytes, not 8", n)
	}
	if format := p.byte(); p.err == nil && format != 1 {
		p.err = fmt.Errorf("its format is %d, not 1 (custom)", format)
	}
	compression := 0
	if p.minor >= 15 {
		compression = int(p.byte())
	} else {
		compression = p.int()
	}
	if p.err == nil && compression != 0 {
		p.err = errors.New("it is compressed; dump with -Z0")
	}
	for range 7 { // time of the dump, in an unnamed time zone
		p.int()
	}
	return Header{
		Version:  fmt.Sprintf("1.%d", p.minor),
		Database: p.text(), ServerVersion: p.text(), DumpVersion: p.text(),
	}
}

// entry reads one entry of the table of contents.
func (p *headParser) entry() *Entry {
	e := &Entry{ID: p.int()}
	if p.err == nil && e.ID <= 0 {
		p.err = fmt.Errorf("an entry has the id %d", e.ID)
	}
	e.HadData = p.int() != 0
	p.text() // OID of its catalog
	p.text() // OID of its object
	e.Tag, e.Desc, e.Section = p.text(), p.text(), Section(p.int())
	if p.err == nil && (e.Section < SectionNone || e.Section > SectionPostData) {
		p.err = fmt.Errorf("entry %d is of section %d", e.ID, e.Section)
	}
	e.Defn, e.Drop, e.Copy = p.text(), p.text(), p.text()
	e.Namespace, e.Tablespace, e.TableAM = p.text(), p.text(), p.text()
	if p.minor >= 16 {
		p.int() // kind of relation
	}
	e.Owner = p.text()
	p.text() // whether it has OIDs, which no version read here knows
	for {
		s, ok := p.str()
		if !ok {
			break
		}
		id, err := strconv.Atoi(s)
		if err != nil {
			p.fail(fmt.Errorf("entry %d needs the entry %q", e.ID, s))
		}
		e.Deps = append(e.Deps, id)
	}
	p.take(1 + 8) // position of its data, unknown in a stream
	return e
}

func (p *headParser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// parseHead reads the header and the table of contents.
func parseHead(in *input) (*Reader, error) {
	p := &headParser{in: in}
	r := &Reader{in: in, header: p.header(), pending: map[int]*Entry{}}
	ids := map[int]bool{}
	n := p.int()
	if n < 0 {
		p.fail(fmt.Errorf("it has %d entries", n))
	}
	for p.err == nil && len(r.entries) < n {
		e := p.entry()
		if ids[e.ID] {
			p.fail(fmt.Errorf("the entry %d is there twice", e.ID))
		}
		ids[e.ID] = true
		r.entries = append(r.entries, e)
		if e.HadData {
			if e.Desc != descTable && e.Desc != descLargeObjects {
				p.fail(fmt.Errorf("entry %d has data of the unknown kind %q", e.ID, e.Desc))
			}
			r.pending[e.ID] = e
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	r.head = p.bytes
	return r, nil
}
