package runbook_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/runbook"
	"github.com/lifeboat-run/lifeboat/runbooks"
)

// breakage is one way to break a page: old becomes new, once; the problem is on the
// line that then holds at, and says message and mend.
type breakage struct {
	name, old, new, at, message, mend string
}

const tooLong = "is longer than one printed page"

// broken breaks a page, and asks for that one problem. That the page gets too long
// by it is another matter.
func broken(t *testing.T, file, text string, b breakage) {
	t.Helper()
	require.Contains(t, text, b.old)
	text = strings.Replace(text, b.old, b.new, 1)
	before, _, found := strings.Cut(text, b.at)
	require.True(t, found, "%q is not in the page", b.at)
	_, problems := runbook.Parse(file, []byte(text))
	if b.message != tooLong {
		problems = slices.DeleteFunc(problems, func(p runbook.Problem) bool { return strings.HasPrefix(p.Message, tooLong) })
	}
	require.Len(t, problems, 1, "%v", problems)
	require.Equal(t, file, problems[0].File)
	require.Equal(t, 1+strings.Count(before, "\n"), problems[0].Line, "%s", problems[0])
	require.Contains(t, problems[0].Message, b.message)
	require.Contains(t, problems[0].Mend, b.mend)
}

// TestBroken breaks a page in ways that have to do with what stands in it.
func TestBroken(t *testing.T) {
	text := string(read(t, "app-is-slow.md"))
	names := map[string]bool{}
	for _, b := range slices.Concat(breakages(), unknownAttributes()) {
		require.False(t, names[b.name], "%s is there twice", b.name)
		names[b.name] = true
		t.Run(b.name, func(t *testing.T) { broken(t, "app-is-slow.md", text, b) })
	}
}

// TestBrokenPages breaks each of the pages that come with Lifeboat in ways in which
// any page can be broken.
func TestBrokenPages(t *testing.T) {
	files, err := fs.Glob(runbooks.Pages, "*.md")
	require.NoError(t, err)
	require.Len(t, files, 7)
	for _, file := range files {
		text, err := fs.ReadFile(runbooks.Pages, file)
		require.NoError(t, err)
		for _, b := range anywhere(string(text)) {
			t.Run(file+"/"+b.name, func(t *testing.T) { broken(t, file, string(text), b) })
		}
	}
}

// anywhere returns ways to break any page, of whose steps one is called over.
func anywhere(text string) []breakage {
	front, _, _ := strings.Cut(text, "# ")
	title := text[strings.Index(text, "title: "):strings.Index(text, "\nseverity")]
	last := text[strings.LastIndex(text, "\n## Post-incident"):]
	words := strings.Fields(last) // ## Post-incident 9. Open the app
	all := []breakage{
		{"no front matter", front, "", "# ", "has no front matter", "begin the file with a line ---"},
		{"front matter that goes on", "]\n---\n", "]\n", "---\n", "never closed", "write a line --- after it"},
		{"empty front matter", front, "---\n---\n", "---", "has no title", "write title:"},
		{"front matter without fields", front, "---\n- a\n---\n", "- a", "front matter without fields", "title: and what is wrong"},
		{"no title", title + "\n", "", "---\n", "has no title", "write title:"},
		{"title that is a list", title, "title: [a]", "title: [a]", "title is empty", "in a few words"},
		{"title twice", title, title + "\n" + title + " ", title + " ", `"title" is there twice`, "keep one"},
		{"odd severity", "severity: page", "severity: loud", "severity: loud", `severity "loud" is not known`, "write page, quiet or mail"},
		{"odd field", "severity: page", "urgency: high", "urgency: high", `"urgency" is not known`, "title, services, alerts, severity"},
		{"broken YAML", "severity: page", "severity: a: b", "severity: a: b", "not valid YAML", "quotes"},
		{"services that are fields", "severity: page", "services: { a: b }", "services: {", "services holds something", "services: [one, another]"},
		{"service twice", "severity: page", "services: [a, b, a]", "services: [", `services holds "a" twice`, "keep one"},
		{"anchor", "severity: page", "services: &a [b]\nseverity: *a", "severity: *a", "severity", "write page"},
		{"not UTF-8", "## Symptoms", "## Symptoms\n\n\xff", "\xff", "is not UTF-8", "save the file as UTF-8"},
		{"control character", "## Symptoms", "## Symptoms\n\n\x1b[2J", "\x1b", "control character", "remove it"},
		{"endless line", "## Symptoms", "## Symptoms\n\n" + strings.Repeat("[", 2001), "[[[[", "longer than 2000 bytes", "break it"},
		{"two pages", "## Recovery", "```\n" + strings.Repeat("text\n", 59) + "```\n\n## Recovery", "```\ntext", tooLong, "make two pages"},
		{"odd heading", "## Recovery", "## Ideas\n\n## Recovery", "## Ideas", `heading "Ideas" is none of the five`, "write ###"},
		{"second title", "## Recovery", "# Ideas\n\n## Recovery", "# Ideas", `heading "Ideas" is none of the five`, "write ###"},
		{"block in no step", "## Symptoms", "## Symptoms\n\n```sh\nls\n```\n", "```sh\nls", `block "sh" that would never run`, "put it into a numbered step"},
		{"block in a list of points", "## Symptoms", "## Symptoms\n\n- look\n\n  ```http\n  GET {health}\n  ```\n", "  ```http\n  GET", `block "http" that would never run`, "put it into a numbered step"},
		{"block in a quote", "## Symptoms", "## Symptoms\n\n> ```playbook\n> Rollback\n> ```\n", "> ```playbook", `block "playbook" that would never run`, "put it into a numbered step"},
		{"block before the sections", "## Symptoms", "```sql\nselect 1\n```\n\n## Symptoms", "```sql", `block "sql" that would never run`, "put it into a numbered step"},
		{"block that is never closed", text[strings.LastIndex(text, "```"):], "", `{"name":"over"`, "never closed", "write ``` on a line of its own"},
		{"numbers begin again", last, strings.Replace(last, words[2], "1.", 1), strings.Join(words[3:6], " "), "begins a list with 1", "steps are numbered through the whole page"},
		{"broken JSON", `{"name":"over"`, `{"name":"over`, `{"name":"over`, "attributes that are not valid JSON", `{"name":"restart","approve":"oncall"}`},
		{"attribute twice", `{"name":"over"`, `{"name":"over","name":"end"`, `"name":"end"`, `attribute "name" twice`, "keep one"},
		{"odd attribute", `{"name":"over"`, `{"name":"over","color":"red"`, `"color"`, `attribute "color" is not known for say`, "known there: name, when, to"},
		{"name with capitals", `{"name":"over"`, `{"name":"It Is Over"`, `"It Is Over"`, `name "It Is Over" cannot be used`, "lower-case"},
		{"name that is a number", `{"name":"over"`, `{"name":7`, `"name":7`, "name is not a text", `"name":"…"`},
		{"itself", `{"name":"over"`, `{"name":"over","when":"over ok"`, `"over ok"`, `waits for "over", which is not before it`, "name an earlier step"},
		{"step that is not there", `{"name":"over"`, `{"name":"over","when":"nothing ok"`, "nothing ok", `waits for "nothing", which is no step`, "the earlier steps are "},
		{"odd ending", `{"name":"over"`, `{"name":"over","when":"told late"`, "told late", "is no condition", `"NAME ok"`},
		{"ending that cannot be", `{"name":"over"`, `{"name":"over","when":"told did-not-help"`, "told did-not-help", `until "told" ends as did-not-help, which it cannot`, "it can end as ok, failed, skipped"},
		{"ways that part", `{"name":"over"`, `{"name":"over","when":["told ok","told skipped"]`, "told skipped", "can never be reached", "change what it waits for"},
		{"name twice", `{"name":"over"`, `{"name":"back"`, `say {"name":"back"`, `name "back" is there twice`, "its own name"},
	}
	for _, heading := range runbook.Headings() {
		all = append(all,
			breakage{"misspelt " + heading, "## " + heading, "## " + strings.ToLower(heading), "## " + strings.ToLower(heading), "is written in another way", "write ## " + heading},
			breakage{"twice " + heading, "## " + heading, "## " + heading + "\n\n## " + heading + "\n", "## " + heading + "\n\n\n", "is there twice", "keep one"},
		)
	}
	return all
}

// unknownAttributes gives steps of each kind attributes that other kinds have.
func unknownAttributes() []breakage {
	var all []breakage
	for kind, attributes := range map[string][]string{
		"http":     {"approve", "safe", "repeatable", "source", "expect", "to"},
		"sql":      {"approve", "safe", "repeatable", "status", "contains", "to"},
		"sh":       {"status", "contains", "source", "expect", "to", "Name"},
		"playbook": {"approve", "safe", "repeatable", "timeout", "source", "expect", "status", "contains", "to"},
		"say":      {"approve", "safe", "repeatable", "timeout", "source", "expect", "status", "contains"},
	} {
		start := "```" + kind + ` {`
		for _, attribute := range attributes {
			all = append(all, breakage{
				fmt.Sprintf("%s of %s", attribute, kind), start, fmt.Sprintf("%s%q:%q,", start, attribute, "x"), fmt.Sprintf("%q:%q", attribute, "x"),
				fmt.Sprintf("attribute %q is not known for %s", attribute, kind), "known there: name, when",
			})
		}
	}
	return all
}
