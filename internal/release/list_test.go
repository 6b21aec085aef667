package release_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const hour = time.Hour

// found is a finding of some hours after noon.
func found(hours int, kind release.Kind, verdict recovery.Verdict, tag string, change ...func(*release.Record)) release.Record {
	r := release.Record{
		Format: release.RecordFormat, Service: "where2eat", Tag: tag, Kind: kind, Verdict: verdict, At: noon.Add(time.Duration(hours) * hour),
		Sentence: fmt.Sprintf("%s %s", kind, verdict), For: recovery.Duration(10 * time.Minute),
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func commit(c string) func(*release.Record) { return func(r *release.Record) { r.Commit = c } }

func since(hours int) func(*release.Record) {
	return func(r *release.Record) { r.Since = noon.Add(time.Duration(hours) * hour) }
}

func good(hours int, tag string, change ...func(*release.Record)) release.Record {
	return found(hours, release.Watched, recovery.Proven, tag, change...)
}

func left(hours int, tag string, change ...func(*release.Record)) release.Record {
	return found(hours, release.Left, recovery.Disproven, tag, change...)
}

func staged(hours int, verdict recovery.Verdict, tag string, change ...func(*release.Record)) release.Record {
	return found(hours, release.Staged, verdict, tag, change...)
}

func tags(names ...string) []release.Tag {
	list := make([]release.Tag, len(names))
	for i, name := range names {
		list[i].Tag, list[i].Commit, _ = strings.Cut(name, "@")
	}
	return list
}

// shown writes a list in short: "v2@b2*:bad" is the current one.
func shown(list []release.Release) string {
	words := make([]string, len(list))
	for i, r := range list {
		words[i] = r.Tag.Tag
		if r.Commit != "" {
			words[i] += "@" + r.Commit
		}
		if r.Current {
			words[i] += "*"
		}
		words[i] += ":" + r.Standing.String()
	}
	return strings.Join(words, " ")
}

func TestList(t *testing.T) {
	three := tags("v3", "v2", "v1")
	for name, c := range map[string]struct {
		tags    []release.Tag
		current string
		records []release.Record
		want    string
	}{
		"nothing is known":            {nil, "", nil, ""},
		"no evidence":                 {three, "v3", nil, "v3*:unproven v2:unproven v1:unproven"},
		"the order is that of tags":   {three, "v3", []release.Record{good(3, "v1"), good(1, "v3"), good(2, "v2")}, "v3*:good v2:good v1:good"},
		"what is deployed is no tag":  {three, "v9", []release.Record{good(1, "v9")}, "v3:unproven v2:unproven v1:unproven"},
		"good, and left since":        {three, "v3", []release.Record{good(1, "v3"), left(2, "v3")}, "v3*:bad v2:unproven v1:unproven"},
		"left, and good since":        {three, "v3", []release.Record{left(1, "v3"), good(2, "v3")}, "v3*:good v2:unproven v1:unproven"},
		"records in any order":        {three, "v3", []release.Record{left(2, "v3"), good(1, "v3")}, "v3*:bad v2:unproven v1:unproven"},
		"did not pass its checks":     {three, "v3", []release.Record{found(1, release.Watched, recovery.Disproven, "v3")}, "v3*:bad v2:unproven v1:unproven"},
		"nothing was learnt":          {three, "v3", []release.Record{good(1, "v3"), found(2, release.Watched, recovery.Inconclusive, "v3")}, "v3*:good v2:unproven v1:unproven"},
		"a deploy is no evidence":     {three, "v2", []release.Record{found(1, release.Deployed, recovery.Proven, "v2")}, "v3:unproven v2*:unproven v1:unproven"},
		"a deploy that did not help":  {three, "v2", []release.Record{good(0, "v2"), found(1, release.Deployed, recovery.Disproven, "v2")}, "v3:unproven v2*:bad v1:unproven"},
		"a remedy says it is not bad": {three, "v3", []release.Record{good(0, "v3"), found(1, release.Remedied, recovery.Proven, "v3")}, "v3*:good v2:unproven v1:unproven"},
		"staging says nothing of production": {
			three, "v2",
			[]release.Record{staged(1, recovery.Proven, "v3"), good(0, "v2"), staged(2, recovery.Disproven, "v2")},
			"v3:unproven v2*:good v1:unproven",
		},
		"the tag was moved": {tags("v2@bbb", "v1@aaa"), "v2", []release.Record{good(1, "v2", commit("ccc"))}, "v2@bbb*:unproven v1@aaa:unproven"},
		"moved there and back": {
			tags("v2@bbb"), "v2", []release.Record{good(1, "v2", commit("bbb")), left(2, "v2", commit("ccc"))}, "v2@bbb*:good",
		},
		"moved, and seen again": {
			tags("v2@bbb"), "v2", []release.Record{left(1, "v2", commit("ccc")), good(2, "v2", commit("bbb"))}, "v2@bbb*:good",
		},
		"a short commit is the same":    {tags("v2@1a2b3c4d5e"), "v2", []release.Record{good(1, "v2", commit("1a2b3c4"))}, "v2@1a2b3c4d5e*:good"},
		"a commit that is not known":    {tags("v2@bbb"), "v2", []release.Record{good(1, "v2")}, "v2@bbb*:good"},
		"a tag whose commit is unknown": {tags("v2"), "v2", []release.Record{good(1, "v2", commit("bbb"))}, "v2*:good"},

		"from evidence alone": {
			nil, "v3", []release.Record{good(1, "v1"), good(2, "v2"), left(3, "v3")}, "v3*:bad v2:good v1:good",
		},
		"by when they were first seen": {
			nil, "v1",
			[]release.Record{good(1, "v1"), good(2, "v2"), left(3, "v2"), found(4, release.Deployed, recovery.Proven, "v1"), good(5, "v1")},
			"v2:bad v1*:good",
		},
		"a watch begins before it ends": {nil, "v2", []release.Record{good(3, "v1", since(1)), left(2, "v2")}, "v2*:bad v1:good"},
		"a later finding tells of an earlier time": {
			nil, "v1", []release.Record{left(1, "v2"), found(2, release.Deployed, recovery.Proven, "v1"), good(3, "v1", since(0))}, "v2:bad v1*:good",
		},
		"what is deployed was never seen before": {
			nil, "v3", []release.Record{good(1, "v1"), good(2, "v2")}, "v3*:unproven v2:good v1:good",
		},
		"what is deployed is not known":     {nil, "", []release.Record{good(1, "v1"), good(2, "v2")}, "v2:good v1:good"},
		"what was only staged did not run":  {nil, "v1", []release.Record{good(1, "v1"), staged(2, recovery.Proven, "v2")}, "v1*:good"},
		"the newest commit of a moved tag":  {nil, "v1", []release.Record{left(1, "v1", commit("aaa")), good(2, "v1", commit("bbb"))}, "v1@bbb*:good"},
		"a commit that was known before":    {nil, "v1", []release.Record{good(1, "v1", commit("aaa")), good(2, "v1")}, "v1@aaa*:good"},
		"what is deployed knows its commit": {nil, "v1@bbb", []release.Record{good(1, "v1", commit("aaa"))}, "v1@bbb*:unproven"},
	} {
		t.Run(name, func(t *testing.T) {
			var current release.Tag
			if c.current != "" {
				current = tags(c.current)[0]
			}
			before := append([]release.Record(nil), c.records...)
			require.Equal(t, c.want, shown(release.List(c.tags, current, c.records)))
			require.Equal(t, before, c.records, "the caller's records stay as they are")
		})
	}
}

func TestListSaysWhy(t *testing.T) {
	records := []release.Record{
		good(1, "v1"), left(2, "v2"), good(3, "v3", commit("ccc")),
		staged(4, recovery.Disproven, "v4"), staged(5, recovery.Proven, "v4"), staged(6, recovery.Proven, "v3", commit("ccc")),
	}
	list := release.List(tags("v4", "v3@ddd", "v2", "v1"), release.Tag{Tag: "v2"}, records)
	require.Equal(t, recovery.Proven, list[0].Staging.Verdict)
	require.Equal(t, noon.Add(5*hour), list[0].Staging.At)
	require.Zero(t, list[0].At)
	require.Empty(t, list[0].Why)
	require.Equal(t, "the tag was moved since it was seen: it was commit ccc", list[1].Why)
	require.Equal(t, noon.Add(3*hour), list[1].At)
	require.Nil(t, list[1].Staging, "another commit was tried")
	require.Equal(t, "left disproven", list[2].Why)
	require.Equal(t, "passed its checks for 10m", list[3].Why)
	require.Equal(t, noon.Add(hour), list[3].At)

	back := release.List(tags("v1@aaa"), release.Tag{}, []release.Record{good(1, "v1", commit("aaa")), left(2, "v1", commit("bbb"))})
	require.Equal(t, "passed its checks for 10m", back[0].Why, "what was found about another commit takes nothing away")
	require.Equal(t, noon.Add(hour), back[0].At)
}

func TestLastGood(t *testing.T) {
	all := tags("v4", "v3", "v2", "v1")
	for name, c := range map[string]struct {
		current string
		records []release.Record
		want    string // empty: none
	}{
		"the next older one":                   {"v4", []release.Record{good(1, "v2"), good(2, "v3"), left(3, "v4")}, "v3"},
		"bad and unproven ones are passed by":  {"v4", []release.Record{good(1, "v1"), left(2, "v3")}, "v1"},
		"never a newer one":                    {"v2", []release.Record{good(1, "v3"), good(2, "v4")}, ""},
		"never the one that is deployed":       {"v3", []release.Record{good(1, "v3")}, ""},
		"nothing is good":                      {"v4", nil, ""},
		"the oldest is deployed":               {"v1", []release.Record{good(1, "v1"), good(2, "v2")}, ""},
		"what is deployed is none of them":     {"v9", []release.Record{good(1, "v2"), good(2, "v3")}, "v3"},
		"what is deployed is not known at all": {"", []release.Record{good(1, "v2")}, "v2"},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := release.LastGood(release.List(all, release.Tag{Tag: c.current}, c.records))
			require.Equal(t, c.want != "", ok)
			require.Equal(t, c.want, r.Tag.Tag)
		})
	}
	_, ok := release.LastGood(nil)
	require.False(t, ok)
}

func TestOlderGood(t *testing.T) {
	records := []release.Record{good(1, "v1"), good(2, "v2"), good(3, "v3"), left(4, "v4")}
	list := release.List(tags("v4", "v3", "v2", "v1"), release.Tag{Tag: "v2"}, records)
	for tag, want := range map[string]string{
		"v4": "v3",
		"v3": "v1", // v2 is deployed
		"v2": "v1",
		"v1": "",
		"v9": "",
		"":   "",
	} {
		r, ok := release.OlderGood(list, tag)
		require.Equal(t, want, r.Tag.Tag, "after %q", tag)
		require.Equal(t, want != "", ok, "after %q", tag)
	}
}

func TestMerge(t *testing.T) {
	a, b, c := good(1, "v1"), good(2, "v2"), left(3, "v2")
	same := found(3, release.Deployed, recovery.Proven, "v1") // at the same time as c
	for name, test := range map[string]struct {
		lists [][]release.Record
		limit int
		want  []release.Record
	}{
		"nothing":                  {nil, 10, []release.Record{}},
		"the union, oldest first":  {[][]release.Record{{b, c}, {a, b}}, 10, []release.Record{a, b, c}},
		"a destination has none":   {[][]release.Record{nil, {a}}, 10, []release.Record{a}},
		"the newest, up to limit":  {[][]release.Record{{a, b}, {c}}, 2, []release.Record{b, c}},
		"exactly the limit":        {[][]release.Record{{a, b}}, 2, []release.Record{a, b}},
		"none are asked for":       {[][]release.Record{{a, b}}, 0, []release.Record{}},
		"a limit that makes none":  {[][]release.Record{{a, b}}, -3, []release.Record{}},
		"two kinds at one time":    {[][]release.Record{{c}, {same}}, 10, []release.Record{same, c}},
		"the same in all of three": {[][]release.Record{{a}, {a}, {a}}, 10, []release.Record{a}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, release.Merge(test.lists, test.limit))
		})
	}
}

func TestReleasesAsJSON(t *testing.T) {
	list := release.List(tags("v2@bbb", "v1"), release.Tag{Tag: "v2"}, []release.Record{left(1, "v2")})
	data, err := json.Marshal(release.Overview{Service: "where2eat", Current: release.Tag{Tag: "v2"}, Releases: list})
	require.NoError(t, err)
	require.JSONEq(t, `{"service": "where2eat", "current": {"tag": "v2"}, "releases": [
		{"tag": "v2", "commit": "bbb", "current": true, "standing": "bad", "at": "2026-11-22T13:00:00Z", "why": "left disproven"},
		{"tag": "v1", "standing": "unproven"}]}`, string(data))
	var again release.Overview
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, list, again.Releases)

	var s release.Standing
	require.NoError(t, json.Unmarshal([]byte(`"splendid"`), &s))
	require.Equal(t, release.Unproven, s, "a word of a later version is never the good one")
	require.Equal(t, "unproven", release.Standing(7).String())
}
