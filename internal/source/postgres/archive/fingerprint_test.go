package archive_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/source/postgres/archive"
)

func small() *builder {
	return newArchive(14, usersTable,
		entry{id: 2, desc: "ENCODING", tag: "ENCODING", defn: "SET client_encoding = 'UTF8';\n"},
		entry{id: 3, desc: "SEARCHPATH", tag: "SEARCHPATH", defn: "SELECT pg_catalog.set_config('search_path', '', false);\n"},
		entry{id: 4, desc: "DATABASE", tag: "app", defn: "CREATE DATABASE app"},
		entry{id: 5, desc: "ACL", tag: "DATABASE app", defn: "GRANT CONNECT ON DATABASE app TO o;"},
		entry{id: 8, desc: "SEQUENCE SET", schema: "public", tag: "s", defn: "SELECT pg_catalog.setval('public.s', 5, true);\n"},
		users, blobs).
		rows(7, "1\n", "2\n", "2\n", marker).
		objects(9, object{oid: 5, chunks: []string{"abc"}}, object{oid: 6})
}

func TestFingerprintSumsUpTheParts(t *testing.T) {
	fp := fingerprint(t, small().Bytes(), recovery.FingerprintContent)
	require.Equal(t, int64(3), fp.Rows())
	names := []string{}
	for _, d := range fp.Data {
		names = append(names, d.Kind+" "+d.Schema+" "+d.Name)
		require.Len(t, d.Sum, 32)
	}
	require.Equal(t, []string{"large objects  ", "sequence public s", "table public users"}, names)
	require.Equal(t, int64(2), fp.Data[0].Rows)
	require.Zero(t, fp.Data[1].Rows)

	var definitions []string
	for _, d := range fp.Definitions {
		definitions = append(definitions, d.Kind+" "+d.Schema+" "+d.Name+" "+d.Owner)
		require.Len(t, d.Text, 32)
	}
	require.Equal(t, []string{"ENCODING  ENCODING ", "TABLE public users o"}, definitions)
}

func TestFingerprintModes(t *testing.T) {
	counts := fingerprint(t, small().Bytes(), recovery.FingerprintCounts)
	require.Equal(t, int64(3), counts.Rows())
	for _, d := range counts.Data {
		require.Equal(t, d.Kind == "table", d.Sum == "", d.Kind)
	}
	require.Nil(t, fingerprint(t, small().Bytes(), recovery.FingerprintOff))
	cut := small().Bytes()
	_, err := archive.Fingerprint(bytes.NewReader(cut[:len(cut)-1]), recovery.FingerprintOff)
	require.ErrorContains(t, err, "data of large objects: unexpected EOF")
	require.Empty(t, recovery.Compare(fingerprint(t, small().Bytes(), recovery.FingerprintContent), counts))
}

func TestFingerprintSeesOneChange(t *testing.T) {
	sum := func(rows ...string) *recovery.Fingerprint {
		return fingerprint(t, newArchive(14, users).rows(7, append(rows, marker)...).Bytes(), recovery.FingerprintContent)
	}
	base := sum("1\n", "2\n", "2\n")
	require.Equal(t, base, sum("2\n", "1\n", "2\n"), "order is no content")
	require.Equal(t, []recovery.Difference{{Kind: recovery.DifferentData, What: "table public.users", How: "holds other values than the backup"}},
		recovery.Compare(base, sum("1\n", "3\n", "3\n")), "equal rows must not cancel out")
	require.Equal(t, []recovery.Difference{{Kind: recovery.DifferentData, What: "table public.users", How: "3 rows in the backup, 2 restored"}},
		recovery.Compare(base, sum("1\n", "2\n")))

	objects := func(objects ...object) *recovery.Fingerprint {
		return fingerprint(t, newArchive(14, blobs).objects(9, objects...).Bytes(), recovery.FingerprintContent)
	}
	original := objects(object{oid: 5, chunks: []string{"ab"}}, object{oid: 6, chunks: []string{"c"}})
	require.Equal(t, original, objects(object{oid: 6, chunks: []string{"c"}}, object{oid: 5, chunks: []string{"a", "b"}}))
	require.Len(t, recovery.Compare(original, objects(object{oid: 5, chunks: []string{"a"}}, object{oid: 6, chunks: []string{"bc"}})), 1)
	require.Len(t, recovery.Compare(original, objects(object{oid: 5, chunks: []string{"c"}}, object{oid: 6, chunks: []string{"ab"}})), 1)
	require.Empty(t, objects().Data)
}

func TestFingerprintSeesTheTextOfDefinitions(t *testing.T) {
	base := entry{id: 6, desc: "TABLE", schema: "public", tag: "t", owner: "o", defn: "d", copy: "c", accessMeth: "heap", tablespace: "fast"}
	of := func(change func(*entry)) *recovery.Fingerprint {
		e := base
		change(&e)
		return fingerprint(t, newArchive(14, e).Bytes(), recovery.FingerprintContent)
	}
	want := of(func(*entry) {})
	for name, change := range map[string]func(*entry){
		"defn": func(e *entry) { e.defn = "x" }, "copy": func(e *entry) { e.copy = "x" },
		"tablespace": func(e *entry) { e.tablespace = "x" }, "access method": func(e *entry) { e.accessMeth = "x" },
		"boundary": func(e *entry) { e.defn, e.copy = "dc", "" }, "owner": func(e *entry) { e.owner = "x" },
	} {
		diffs := recovery.Compare(want, of(change))
		require.Len(t, diffs, 1, name)
		require.Equal(t, recovery.DifferentText, diffs[0].Kind, name)
		require.Equal(t, "TABLE public.t", diffs[0].What)
	}
	require.Equal(t, want, of(func(e *entry) { e.id, e.deps = 99, []string{"1"} }))
}
