package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// written says whether the transaction of an interrupted swap was committed: SQLite
// has then done it wholly, or else not at all.
//
// The commit counts the schema's version up by one. If that is still what it was,
// there was no commit. If not, there was one, or a program has changed the schema
// of the old database since: then the pages of the database tell which of the two
// it comes from.
func (i *intent) written(ctx context.Context) (bool, error) {
	if i.Version == nil {
		return false, nil
	}
	there, err := identity(i.Job.Live)
	if err != nil || there == i.Job.In {
		return err == nil, err
	}
	if own, err := ownIdentity(i.Job.Live); err != nil || own != i.OldFile {
		return false, errors.Join(err, i.undecided("another file has taken its place"))
	}
	// A journal that was left is rolled back here, for which one must be able to write.
	conn, err := openWritable(ctx, i.Job.Live)
	if err != nil {
		return false, err
	}
	defer conn.close()
	has, err := propertiesOf(ctx, conn)
	if err != nil || has.version == *i.Version {
		return false, err
	}
	return i.descends(conn)
}

// descends says whether the live database comes from the new one and not from the
// old one, by the pages in which the two differ.
func (i *intent) descends(conn *connection) (bool, error) {
	now := i.Job.Aside + "-now"
	if err := removeDatabase(now); err != nil {
		return false, err
	}
	if err := copyPages(conn, now); err != nil {
		return false, errors.Join(err, removeDatabase(now))
	}
	fromNew, fromOld, differ, err := comparePages(now, i.Job.New, i.Job.Aside)
	if err = errors.Join(err, removeDatabase(now)); err != nil {
		return false, err
	}
	if differ == 0 { // the one is as good as the other
		return true, nil
	}
	if fromNew == fromOld {
		return false, i.undecided("programs have changed all of it since")
	}
	return fromNew > fromOld, nil
}

func (i *intent) undecided(why string) error {
	return permanent("look at both, put the right one there with the service stopped, and remove "+intentPath(i.Job.Live),
		"an earlier swap was interrupted and nobody can tell whether it was done: %s; what it held before is in %s, what was to come in %s", why, i.Job.Aside, i.Job.New)
}

// headerSize is what the first page of a database begins with: counters that each
// transaction changes.
const headerSize = 100

// comparePages counts the pages in which two databases differ, and those of them
// that are in now like in the one or the other. All have pages of one size.
func comparePages(now, one, other string) (likeOne, likeOther, differ int, err error) {
	var files [3]*os.File
	for n, path := range []string{now, one, other} {
		if files[n], err = os.Open(path); err != nil {
			return 0, 0, 0, err
		}
		defer func() { _ = files[n].Close() }()
	}
	header := make([]byte, headerSize)
	if _, err := files[0].ReadAt(header, 0); err != nil {
		return 0, 0, 0, fmt.Errorf("read %s: %w", now, err)
	}
	size := int(binary.BigEndian.Uint16(header[16:])) // as in SQLite's file format
	if size == 1 {
		size = 1 << 16
	}
	var pages [3][]byte
	for number := int64(0); ; number++ {
		for n, file := range files {
			page := make([]byte, size)
			read, err := file.ReadAt(page, number*int64(size))
			if err != nil && err != io.EOF {
				return 0, 0, 0, err
			}
			if pages[n] = page[:read]; number == 0 && read >= headerSize {
				pages[n] = page[headerSize:read]
			}
		}
		if len(pages[1]) == 0 && len(pages[2]) == 0 {
			return likeOne, likeOther, differ, nil
		}
		if bytes.Equal(pages[1], pages[2]) {
			continue
		}
		differ++
		switch {
		case bytes.Equal(pages[0], pages[1]):
			likeOne++
		case bytes.Equal(pages[0], pages[2]):
			likeOther++
		}
	}
}
