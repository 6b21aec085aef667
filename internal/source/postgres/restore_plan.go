package postgres

import (
	"strconv"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

// restorePlan says what of an archive is restored when.
type restorePlan struct {
	settings []string          // statements that a session begins with
	before   []int             // entries that data needs, for pg_restore
	tables   map[int]*loadPlan // by the id of the entry that has the table's data
	after    []int             // the entries that are left, for pg_restore
	slow     int               // how many of them may take long
}

// loadPlan says what is done with the data of one table.
type loadPlan struct {
	// created says that the table is made by this restore, for its own rows: so it
	// may be emptied first. Not so the tables of extensions, and those that rows are
	// sent to by way of their partitioned parent.
	created bool
	builds  []*archive.Entry // indexes and keys, in the order of the archive
}

// viaRoot is how pg_dump marks the data of a partition that goes to its parent.
const viaRoot = "-- load via partition root "

// planRestore divides the entries as pg_restore does, by section; but grants come
// last, and an index or key that needs nothing but one table comes when the rows of
// that table are in.
func planRestore(entries []*archive.Entry) *restorePlan {
	p := &restorePlan{tables: map[int]*loadPlan{}}
	known := map[int]*archive.Entry{} // what came earlier, by id
	loads := map[int][]*loadPlan{}    // by the id of the entry that makes the table
	section := archive.SectionPreData
	for _, e := range entries {
		if e.Section != archive.SectionNone {
			section = e.Section
		}
		switch {
		case e.HadData:
			load := &loadPlan{}
			p.tables[e.ID] = load
			for _, id := range e.Deps {
				if table := known[id]; table != nil && table.Desc == "TABLE" {
					loads[id] = append(loads[id], load)
					load.created = !strings.Contains(e.Defn, viaRoot)
				}
			}
		case e.Desc == "ENCODING", e.Desc == "STDSTRINGS", e.Desc == "SEARCHPATH":
			p.settings = append(p.settings, e.Defn)
		case e.Desc == "ACL":
			p.after = append(p.after, e.ID)
		case section == archive.SectionPreData, e.Desc == "BLOB METADATA":
			p.before = append(p.before, e.ID)
		default:
			if load := buildsOn(e, known, loads); load != nil {
				load.builds = append(load.builds, e)
			} else {
				p.after = append(p.after, e.ID)
				p.slow += slowness[e.Desc]
			}
		}
		known[e.ID] = e
	}
	return p
}

// buildsOn returns the table whose rows are all that an index or key waits for, nil
// if there is no such table. The index of a partition needs none of its parent.
func buildsOn(e *archive.Entry, known map[int]*archive.Entry, loads map[int][]*loadPlan) *loadPlan {
	if !isIndex(e) {
		return nil
	}
	var only *loadPlan
	for _, id := range e.Deps {
		needed := known[id]
		if needed == nil || (needed.Section != archive.SectionPreData && !isIndex(needed)) {
			return nil
		}
		for _, load := range loads[id] {
			if only != nil && only != load {
				return nil
			}
			only = load
		}
	}
	return only
}

// isIndex says whether e makes an index, be it for a key.
func isIndex(e *archive.Entry) bool { return e.Desc == "INDEX" || e.Desc == "CONSTRAINT" }

// slowness marks the kinds of entry that read whole tables.
var slowness = map[string]int{"INDEX": 1, "CONSTRAINT": 1, "FK CONSTRAINT": 1, "CHECK CONSTRAINT": 1, "MATERIALIZED VIEW DATA": 1}

// jobs lets pg_restore work on several entries at a time if that is worth while.
func (p *restorePlan) jobs() []string {
	if p.slow < 2 {
		return nil
	}
	return []string{"--jobs", strconv.Itoa(indexWorkers)}
}
