package recovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// TombstoneFormat is the version of the tombstones this code writes.
const TombstoneFormat = 1

// Tombstone records that a set was removed from a destination, by intent. It is
// written before anything is removed and stays for ever, so that a set that is
// missing can be told from one that was lost.
type Tombstone struct {
	Format  int    `json:"format"`
	Service string `json:"service"`
	Set     SetID  `json:"set"`
	// Destination is where it was removed: the word for one copy is none for another.
	Destination string    `json:"destination"`
	Pruned      time.Time `json:"pruned"`
	Why         []string  `json:"why"` // as in Fate
	Run         RunRef    `json:"run"`
	Size        int64     `json:"size"` // sealed bytes of what lay in its folder
}

// TombstonePrefix holds the tombstones of a service.
func TombstonePrefix(service string) string { return service + "/pruned/" }

// TombstoneKey is where the tombstone of a set stands.
func TombstoneKey(service string, set SetID) string {
	return TombstonePrefix(service) + string(set) + ".json"
}

// validate checks what a reader relies on: nothing is removed by the word of a
// tombstone that names nothing.
func (t *Tombstone) validate() error {
	var errs []error
	if t.Format != TombstoneFormat {
		errs = append(errs, fmt.Errorf("read format %d: this version of Lifeboat reads format %d", t.Format, TombstoneFormat))
	}
	_, err := ParseSetID(string(t.Set))
	return errors.Join(append(errs, CheckName("service", t.Service), err)...)
}

// EncodeTombstone writes the signed file of a tombstone.
func EncodeTombstone(t *Tombstone, key SigningKey) ([]byte, error) {
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("check tombstone: %w", err)
	}
	return sign(documentTombstone, t, key)
}

// DecodeTombstone reads and checks a signed tombstone. The error is Damaged.
func DecodeTombstone(data []byte, trusted []PublicKey) (*Tombstone, error) {
	payload, err := verify(documentTombstone, data, trusted)
	if err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read tombstone: %w", err), "")
	}
	var t Tombstone
	if err := json.Unmarshal(payload, &t); err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read tombstone: %w", err), "")
	}
	if err := t.validate(); err != nil {
		return nil, NewFault(Damaged, fmt.Errorf("read tombstone: %w", err), "")
	}
	return &t, nil
}
