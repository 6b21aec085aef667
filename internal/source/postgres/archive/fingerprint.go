package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// The kinds of recovery.DataSum.
const (
	kindTable        = "table"
	kindSequence     = "sequence"
	kindLargeObjects = "large objects"
)

const descSequence = "SEQUENCE SET"

// Fingerprint reads a whole archive and says what it holds.
func Fingerprint(r io.Reader, mode recovery.FingerprintMode) (*recovery.Fingerprint, error) {
	reader, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	return reader.Fingerprint(mode)
}

// Fingerprint reads the rest of the archive, from its first block on, and says
// what it holds. With recovery.FingerprintOff it checks that the archive is whole
// and returns nil.
func (r *Reader) Fingerprint(mode recovery.FingerprintMode) (*recovery.Fingerprint, error) {
	print := &recovery.Fingerprint{Mode: mode, Data: []recovery.DataSum{}, Definitions: []recovery.DefinitionSum{}}
	summer := &summer{mode: mode}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch {
		case mode == recovery.FingerprintOff:
		case b.LargeObjects():
			err = summer.addObjects(b)
		default:
			var d recovery.DataSum
			d, err = summer.table(b)
			print.Data = append(print.Data, d)
		}
		if err != nil {
			return nil, err
		}
	}
	if mode == recovery.FingerprintOff {
		return nil, nil
	}
	if summer.objects.rows > 0 {
		print.Data = append(print.Data, summer.objects.data(kindLargeObjects, "", "", recovery.FingerprintContent))
	}
	addDefinitions(print, r.entries)
	print.Sort()
	return print, nil
}

// addDefinitions sums up the table of contents. What depends on the name of the
// database, or differs from dump to dump of the same database, is left out: so are
// the DATABASE entries, OIDs, ids, dependencies, and statements that drop.
func addDefinitions(print *recovery.Fingerprint, entries []*Entry) {
	for _, e := range entries {
		switch {
		case e.Desc == descSequence:
			print.Data = append(print.Data, recovery.DataSum{
				Kind: kindSequence, Schema: e.Namespace, Name: e.Tag, Sum: hexSum(xxh3.HashString128(e.Defn)),
			})
		case isDefinition(e):
			text := strings.Join([]string{e.Defn, e.Copy, e.TableAM, e.Tablespace}, "\x00")
			print.Definitions = append(print.Definitions, recovery.DefinitionSum{
				Kind: e.Desc, Schema: e.Namespace, Name: e.Tag, Owner: e.Owner, Text: hexSum(xxh3.HashString128(text)),
			})
		}
	}
}

// undefined are the kinds of entry that define nothing in the database: data,
// settings of the restoring session, estimates, and the database itself.
var undefined = []string{
	descTable, descLargeObjects, "STDSTRINGS", "SEARCHPATH", "STATISTICS DATA", "DATABASE", "DATABASE PROPERTIES",
}

func isDefinition(e *Entry) bool {
	if slices.Contains([]string{"ACL", "COMMENT", "SECURITY LABEL"}, e.Desc) && strings.HasPrefix(e.Tag, "DATABASE ") {
		return false
	}
	return !slices.Contains(undefined, e.Desc)
}

// sum adds hashes up modulo 2^128, so that their order does not matter and equal
// ones do not cancel out.
type sum struct {
	rows   int64
	hi, lo uint64
}

func (s *sum) add(h xxh3.Uint128) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, h.Lo, 0)
	s.hi, _ = bits.Add64(s.hi, h.Hi, carry)
	s.rows++
}

func (s *sum) data(kind, schema, name string, mode recovery.FingerprintMode) recovery.DataSum {
	d := recovery.DataSum{Kind: kind, Schema: schema, Name: name, Rows: s.rows}
	if mode == recovery.FingerprintContent {
		d.Sum = hexSum(xxh3.Uint128{Hi: s.hi, Lo: s.lo})
	}
	return d
}

func hexSum(h xxh3.Uint128) string { return fmt.Sprintf("%016x%016x", h.Hi, h.Lo) }

// summer sums up blocks.
type summer struct {
	mode    recovery.FingerprintMode
	objects sum
	hash    xxh3.Hasher // of a row or large object that comes in parts
}

// table counts the rows of a block and, if asked for, sums them up.
func (s *summer) table(b *Block) (recovery.DataSum, error) {
	var total sum
	whole := true // no row is begun
	for {
		f, err := b.Fragment()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return recovery.DataSum{}, err
		}
		if s.mode == recovery.FingerprintContent {
			whole = s.addRows(&total, f, whole)
			continue
		}
		total.rows += int64(bytes.Count(f, newline))
		whole = f[len(f)-1] == '\n'
	}
	if !whole {
		return recovery.DataSum{}, b.note(errors.New("its last row has no end"))
	}
	return total.data(kindTable, b.Entry.Namespace, b.Entry.Tag, s.mode), nil
}

var newline = []byte{'\n'}

// addRows adds the rows of a fragment. A row that is not whole waits in s.hash; it
// returns whether there is none.
func (s *summer) addRows(total *sum, f []byte, whole bool) bool {
	for len(f) > 0 {
		i := bytes.IndexByte(f, '\n')
		switch {
		case i < 0:
			s.write(f)
			return false
		case whole:
			total.add(xxh3.Hash128(f[:i]))
		default:
			s.write(f[:i])
			total.add(s.hash.Sum128())
			s.hash.Reset()
			whole = true
		}
		f = f[i+1:]
	}
	return whole
}

// addObjects adds the OID and content of each large object of a block.
func (s *summer) addObjects(b *Block) error {
	for {
		oid, err := b.NextObject()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.write(binary.BigEndian.AppendUint32(nil, oid))
		for {
			f, err := b.Fragment()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			s.write(f)
		}
		s.objects.add(s.hash.Sum128())
		s.hash.Reset()
	}
}

func (s *summer) write(b []byte) {
	_, _ = s.hash.Write(b) // a hash takes everything
}
