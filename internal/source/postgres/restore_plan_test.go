package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

func TestPlanRestore(t *testing.T) {
	const pre, data, post = archive.SectionPreData, archive.SectionData, archive.SectionPostData
	entry := func(id int, section archive.Section, desc string, deps ...int) *archive.Entry {
		return &archive.Entry{ID: id, Section: section, Desc: desc, Deps: deps, HadData: desc == "TABLE DATA" || desc == "BLOBS"}
	}
	viaParent := entry(22, data, "TABLE DATA", 12)
	viaParent.Defn = "-- load via partition root public.p\n"
	settings := entry(1, pre, "ENCODING")
	settings.Defn = "SET client_encoding = 'UTF8';\n"
	p := planRestore([]*archive.Entry{
		settings, entry(3, pre, "EXTENSION"), entry(4, pre, "FUNCTION"), entry(5, archive.SectionNone, "ACL", 4),
		entry(10, pre, "TABLE"), entry(11, pre, "TABLE"), entry(12, pre, "TABLE"), entry(13, pre, "TABLE"), entry(14, archive.SectionNone, "COMMENT", 13),
		entry(16, data, "BLOB METADATA"), entry(17, archive.SectionNone, "ACL", 16),
		entry(20, data, "TABLE DATA", 10), entry(21, data, "TABLE DATA", 11), viaParent, entry(23, data, "TABLE DATA", 3), entry(24, data, "BLOBS", 16),
		entry(25, data, "SEQUENCE SET"),
		entry(30, post, "CONSTRAINT", 10, 10), entry(31, post, "INDEX", 10, 4), entry(32, post, "INDEX", 10, 11),
		entry(33, post, "INDEX", 13), entry(34, post, "INDEX", 12, 33), entry(35, post, "INDEX ATTACH", 33, 34),
		entry(36, post, "FK CONSTRAINT", 30, 11), entry(37, post, "INDEX", 11, 36), entry(38, post, "INDEX", 11, 99), entry(39, post, "TRIGGER", 10),
	})
	require.Equal(t, []string{"SET client_encoding = 'UTF8';\n"}, p.settings)
	require.Equal(t, []int{3, 4, 10, 11, 12, 13, 14, 16}, p.before)
	require.Equal(t, []int{5, 17, 25, 32, 33, 35, 36, 37, 38, 39}, p.after)
	built := map[int][]int{}
	var created []int
	for _, id := range []int{20, 21, 22, 23, 24} {
		for _, e := range p.tables[id].builds {
			built[id] = append(built[id], e.ID)
		}
		if p.tables[id].created {
			created = append(created, id)
		}
	}
	require.Equal(t, map[int][]int{20: {30, 31}, 22: {34}}, built)
	require.Equal(t, []int{20, 21}, created, "only tables made by the restore, for their own rows, may be emptied")
	require.Equal(t, []string{"--jobs", "2"}, p.jobs())
	require.Empty(t, planRestore([]*archive.Entry{entry(1, post, "INDEX"), entry(2, post, "TRIGGER")}).jobs())
}

func TestBuildQueue(t *testing.T) {
	q := newBuildQueue()
	one := &loadPlan{builds: []*archive.Entry{{ID: 1, Desc: "CONSTRAINT"}, {ID: 2, Desc: "INDEX"}, {ID: 3, Desc: "INDEX"}}}
	two := &loadPlan{builds: []*archive.Entry{{ID: 4, Desc: "INDEX"}, {ID: 5, Desc: "CONSTRAINT"}}}
	q.add(one)
	q.add(two)
	q.close()
	key := q.next(t.Context())
	require.Equal(t, 1, key.entry.ID)
	other := q.next(t.Context())
	require.Equal(t, 4, other.entry.ID, "the key has its table for itself")
	none, wait := q.take()
	require.Nil(t, none)
	require.NotNil(t, wait, "a key waits for the index of its table")
	q.done(key)
	<-wait
	require.Equal(t, 2, q.next(t.Context()).entry.ID)
	require.Equal(t, 3, q.next(t.Context()).entry.ID, "indexes of one table go side by side")
	q.done(other)
	require.Equal(t, 5, q.next(t.Context()).entry.ID)
	require.Nil(t, q.next(t.Context()))
}
