package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
)

// inspect tries the folder. Nothing in it is safe from the user that writes there.
func (s *fileStore) inspect(ctx context.Context) (*Inspection, error) {
	key := checkFolder + "/" + rand.Text()
	if err := s.put(ctx, key, nil, true); err != nil {
		return nil, err
	}
	taken := s.put(ctx, key, nil, true)
	if err := s.remove(ctx, key); err != nil {
		return nil, err
	}
	info, err := os.Stat(s.dir)
	if err != nil {
		return nil, err
	}
	found := &Inspection{}
	found.add("put", Good, "works", "")
	if errors.Is(taken, errTaken) {
		found.add("conditional write", Good, "a second write of the same object is refused", "")
	} else {
		found.add("conditional write", Bad, fmt.Sprintf("a second write of the same object was not refused as it should be: %v", taken), "keep the folder on a file system that has hard links")
	}
	if mode := info.Mode().Perm(); mode&0o007 == 0 {
		found.add("public access", Good, "other users of this machine have no access to the folder", "")
	} else {
		found.add("public access", Bad, fmt.Sprintf("every user of this machine has access to the folder: its mode is %04o", mode), "chmod o= "+s.dir)
	}
	found.add("protection", Bad, "whoever is this user on this machine can remove every set", "add a destination in a bucket with versioning and object lock")
	return found, nil
}
