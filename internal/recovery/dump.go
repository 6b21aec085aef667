package recovery

import "time"

// DumpJob names one attempt at dumping one source. The attempt's object names,
// database sessions and processes all carry it, so that a later attempt can tell
// them from its own.
type DumpJob struct {
	Set     SetID
	Source  string
	Attempt int
}

// Dump is what a source says of the bytes it just wrote.
type Dump struct {
	Ext           string       // what kind of file the bytes are, e.g. "dump" or "db"
	Snapshot      time.Time    // as of when the data is
	PlainSize     int64        // bytes written
	Tool          string       // what made the dump, e.g. "pg_dump 15.18"
	ServerVersion string       // empty if there is no server
	Extensions    []Extension  // that the dump refers to, sorted by name
	Roles         []string     // that the dump refers to, sorted
	Fingerprint   *Fingerprint // nil for FingerprintOff
	Companions    []Companion  // small documents to be sealed beside the dump
}

// Companion is a small document that belongs to a dump and is sealed like it.
type Companion struct {
	Role    string // e.g. RoleDatabase
	Ext     string // e.g. "database.sql"
	Content []byte
}

// Restored is what a restore says of itself. A restore may end without an error
// and still have complaints; whether the data is right, only the comparison tells.
type Restored struct {
	PlainSize  int64    // bytes read
	Complaints []string // what tools complained of, free of user data, at most MaxDifferences
}
