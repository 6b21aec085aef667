package runbook_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/runbook"
	"github.com/lifeboat-run/lifeboat/runbooks"
)

// small is a page with what must be there, and what is given for its recovery.
func small(recovery string) string {
	return "---\ntitle: Small\n---\n## Symptoms\n\n## Immediate action (first 10 minutes)\n\n## Recovery\n\n" + recovery + "\n\n## Mitigation\n\n## Post-incident\n"
}

// lines returns problems as they are printed.
func lines(problems []runbook.Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}

func TestSmall(t *testing.T) {
	page, problems := runbook.Parse("small.md", []byte(small("1. Wait.")))
	require.Empty(t, problems)
	require.Equal(t, runbook.SeverityPage, page.Severity)
	require.Empty(t, page.Services)
	require.True(t, page.IsFor("anything"))
	require.Len(t, page.Steps(), 1)
}

func TestNoStep(t *testing.T) {
	for name, recovery := range map[string]string{
		"nothing": "", "points": "- Wait.\n- Go on.", "text": "Wait.", "numbers in a quote": "> 1. Wait.", "numbers below a point": "- Wait\n  1. long",
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := runbook.Parse("small.md", []byte(small(recovery)))
			require.Equal(t, []string{"small.md:6: has no step under Immediate action (first 10 minutes) or Recovery; write what to do as a numbered list"}, lines(problems))
		})
	}
	_, problems := runbook.Parse("small.md", []byte(strings.Replace(small(""), "## Recovery", "1. Wait.\n\n## Recovery", 1)))
	require.Empty(t, problems, "one of the two is enough")
}

func TestNames(t *testing.T) {
	for file, good := range map[string]bool{
		"app-is-down.md": true, "ops/pages/app.md": true, "24h.md": true,
		"App.md": false, "app is down.md": false, ".md": false, "-app.md": false, strings.Repeat("a", 41) + ".md": false,
	} {
		t.Run(file, func(t *testing.T) {
			page, problems := runbook.Parse(file, []byte(small("1. Wait.")))
			if good {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Equal(t, file+": has no usable name; name it with 1 to 40 lower-case letters, digits and hyphens, such as app-is-down.md", problems[0].String())
			require.Len(t, page.Steps(), 1, "the rest is read all the same")
		})
	}
}

func TestSize(t *testing.T) {
	text := small("1. Wait.")
	padding := strings.Repeat("<!-- for editors -->\n", runbook.MaxSize/21+1)
	_, problems := runbook.Parse("small.md", []byte(text+padding[:runbook.MaxSize-len(text)]))
	require.Empty(t, problems, "comments take no paper")

	page, problems := runbook.Parse("small.md", []byte(text+padding[:runbook.MaxSize-len(text)+1]))
	require.Equal(t, []string{"small.md: is larger than 64 KiB; keep to what fits on one printed page"}, lines(problems))
	require.Empty(t, page.Sections)
}

// TestLength counts what a page has besides its one step: 58 lines fit.
func TestLength(t *testing.T) {
	const rest = 2 + 5*2 // the title, and the five headings
	word := strings.Repeat("word ", 19)
	for name, test := range map[string]struct {
		text  string
		lines int
	}{
		"short paragraphs": {strings.Repeat("Wait.\n\n", 40), 40},
		"wrapped text":     {strings.Repeat(word, 10), 10},
		"broken lines":     {"one\\\ntwo\\\nthree", 3},
		"a long word":      {strings.Repeat("x", 300), 1},
		"a heading":        {"### Heading", 2},
		"code":             {"```\none\ntwo\n```", 3},
		"wide code":        {"```\n" + strings.Repeat("x", 96) + "\n```", 3},
		"indented code":    {"    one\n    two", 3},
		"a picture":        {"![what they see](picture.png)", 11},
		"its place":        {"<!-- screenshot: what they see -->", 10},
		"a comment":        {"<!-- for editors -->", 0},
		"HTML":             {"<div>\nthis\n</div>", 3},
		"a line":           {"***", 1},
		"points":           {"- one\n- " + strings.Repeat(word, 2) + "\n- three", 5},
		"a quote":          {"> one\n>\n> two", 2},
	} {
		t.Run(name, func(t *testing.T) {
			fits := 58 - rest - 1 - test.lines
			for more := range 2 {
				_, problems := runbook.Parse("small.md", []byte(strings.Replace(small("1. Wait."), "## Immediate", test.text+"\n\n***\n\n"+strings.Repeat("Wait.\n\n", fits-1+more)+"## Immediate", 1)))
				require.Len(t, problems, more, "%v", problems)
				if more == 1 {
					require.Contains(t, problems[0].Message, "about 59 lines, and 58 fit")
				}
			}
		})
	}
}

// TestWords: whatever Markdown can do, people read plain words.
func TestWords(t *testing.T) {
	for name, test := range map[string]struct{ markdown, want string }{
		"emphasis":          {"*Wait* for **ten** minutes.", "Wait for ten minutes."},
		"line breaks":       {"one\ntwo  \nthree\\\nfour", "one two\nthree\nfour"},
		"code":              {"Type `ls -l`,\nor ``a`b``.", "Type `ls -l`, or `a`b`."},
		"escapes":           {`1 \* 2 &lt; 3 &amp; &#52;`, "1 * 2 < 3 & 4"},
		"links":             {"[status](https://s.example), <https://t.example>, [](https://u.example)", "status (https://s.example), https://t.example,  (https://u.example)"},
		"pictures":          {"![the page](page.png)", "picture: the page (page.png)"},
		"HTML in a text":    {"a <b>bold</b> word<!-- hidden -->", "a <b>bold</b> word"},
		"HTML":              {"<details>\nmore\n</details>", "<details>\nmore\n</details>"},
		"a comment":         {"before\n\n<!-- hidden\n\n1. step\n-->\n\nafter", "before\n\nafter"},
		"lists":             {"- one\n\n  more\n- two\n  1. a\n  2. b", "- one\n\n  more\n- two\n  1. a\n  2. b"},
		"quotes":            {"> one\n> > two", "> one\n> > two"},
		"fenced and indent": {"```\n{\"a\": 1}\n\nb\n```\n\n    c", "    {\"a\": 1}\n\n    b\n\n    c"},
		"references":        {"[status][1]\n\n[1]: https://s.example", "status (https://s.example)"},
	} {
		t.Run(name, func(t *testing.T) {
			page, problems := runbook.Parse("small.md", []byte(strings.Replace(small("1. Wait."), "## Immediate", test.markdown+"\n\n## Immediate", 1)))
			require.Empty(t, problems)
			require.Equal(t, test.want, page.Sections[0].Text)
		})
	}
}

func FuzzParse(f *testing.F) {
	files, err := runbooks.Pages.ReadDir(".")
	require.NoError(f, err)
	for _, file := range files {
		text, err := runbooks.Pages.ReadFile(file.Name())
		require.NoError(f, err)
		f.Add(string(text))
	}
	slow := string(read(f, "app-is-slow.md"))
	f.Add(slow)
	for _, b := range breakages() {
		f.Add(strings.Replace(slow, b.old, b.new, 1))
	}
	f.Fuzz(func(t *testing.T, text string) {
		page, problems := runbook.Parse("page.md", []byte(text))
		last := 1 + strings.Count(text, "\n")
		for _, p := range append(problems, page.Check(runbook.Known{Services: []runbook.Service{where2eat()}})...) {
			require.LessOrEqual(t, p.Line, last, "%s", p)
			require.GreaterOrEqual(t, p.Line, 0, "%s", p)
			require.NotEmpty(t, p.Message)
			require.NotEmpty(t, p.Mend, "%s", p)
			require.NotContains(t, p.String(), "\n")
		}
		shown := page.For(where2eat()).String()
		require.True(t, len(problems) > 0 || utf8.ValidString(shown))
		if len(problems) > 0 {
			return
		}
		require.NotEmpty(t, page.Title)
		require.Len(t, page.Sections, 5)
		names := map[string]bool{}
		for i, s := range page.Steps() {
			require.Equal(t, i+1, s.Number)
			require.False(t, names[s.Name], "%s is there twice", s.Name)
			names[s.Name] = true
			require.NotEmpty(t, s.Text)
			require.True(t, s.Kind == runbook.KindManual || s.Body != "")
			require.True(t, s.Kind != runbook.KindShell || s.Safe != (len(s.Approve) > 0), "somebody agrees, or nobody needs to")
			for _, c := range s.When {
				require.True(t, names[c.Step], "%s is an earlier step", c.Step)
			}
		}
	})
}
