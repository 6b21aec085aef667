package recovery

// LiveState is what a production source is now, as a plan to replace it shows it.
type LiveState struct {
	Source   string `json:"source"`
	Kind     string `json:"kind"`
	Exists   bool   `json:"exists"`
	Name     string `json:"name"`               // the database's name, or the file's path
	Identity string `json:"identity,omitempty"` // changes when another database or file takes the place
	Where    string `json:"where"`              // for a person: "database app on db.example.com:5432"
	Size     int64  `json:"size"`               // bytes on its disk
	Free     int64  `json:"free,omitempty"`     // bytes free on that disk, 0 if not known
	// Refusals say, one sentence each, why it cannot be replaced as it is now.
	Refusals []string `json:"refusals,omitempty"`
}

// Swap puts one database (or file) in the place of another, which is set aside.
// Names are those of databases on one server, or absolute paths of files in one
// folder. Undoing a swap is another swap: see Back.
type Swap struct {
	Source string `json:"source"`
	Kind   string `json:"kind"`
	Live   string `json:"live"` // the place
	// Out identifies what is there now, empty if nothing is; In what takes the place.
	Out   string `json:"out,omitempty"`
	In    string `json:"in"`
	New   string `json:"new"`   // name of what takes the place
	Aside string `json:"aside"` // name that what is there now gets
	// Retired is the name that what takes the place gets if the swap is undone: it has
	// been production by then, and must not be taken for a copy that may be dropped.
	Retired string `json:"retired"`
}

// Swapped says how a swap went.
type Swapped struct {
	// Down is how long nothing answered under the live name. It is zero if the swap
	// had been done already when it was asked for.
	Down Duration `json:"down"`
	// Again is true if it had been done already.
	Again bool `json:"again,omitempty"`
	// Closed is how many sessions were closed.
	Closed int `json:"closed,omitempty"`
}
