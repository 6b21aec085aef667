package runbook

import (
	"fmt"
	"strings"
)

const terminalWidth = 80

// String shows a page on a terminal: words are wrapped at 80 columns, and what a step
// does stands there exactly, however wide.
func (p *Page) String() string {
	var b strings.Builder
	b.WriteString(p.Title + "\n" + strings.Repeat("=", min(len([]rune(p.Title)), terminalWidth)) + "\n")
	b.WriteString(flowed(p.about(), ""))
	if p.Text != "" {
		b.WriteString("\n" + flowed(p.Text, ""))
	}
	for _, section := range p.Sections {
		b.WriteString("\n" + strings.ToUpper(section.Heading) + "\n")
		if section.Text != "" {
			b.WriteString("\n" + flowed(section.Text, ""))
		}
		for _, s := range section.Steps {
			b.WriteString("\n" + s.String())
		}
	}
	return b.String()
}

// about says what a page is, and when it is opened.
func (p *Page) about() string {
	text := "Runbook " + p.Name + ", "
	if len(p.Services) > 0 {
		text += "for " + strings.Join(p.Services, ", ") + ", "
	}
	text += map[Severity]string{SeverityPage: "calls people", SeverityQuiet: "tells the channel", SeverityMail: "sends mail"}[p.Severity]
	if len(p.Alerts) > 0 {
		text += "; opened by " + strings.Join(p.Alerts, ", ")
	}
	return text + "."
}

// String shows a step on a terminal.
func (s *Step) String() string {
	number := fmt.Sprintf("%3d. ", s.Number)
	margin := strings.Repeat(" ", len(number))
	text := strings.TrimPrefix(flowed(s.Text, margin), margin)
	if text == "" {
		text = "\n"
	}
	shown := number + text
	if s.Kind == KindManual && len(s.When) == 0 {
		return shown
	}
	if what := s.What(); what != "" {
		shown += "\n" + indented(what, margin+"    ", margin+"    ") + "\n\n"
	}
	how := s.How()
	if s.Name != s.defaultName() {
		how = s.Name + ": " + how
	}
	return shown + flowed("("+how+")", margin)
}

// What returns what a step does, exactly as it is run or sent.
func (s *Step) What() string {
	if s.Kind == KindHTTP {
		return "GET " + s.Body
	}
	return s.Body
}

// How says in a sentence how a step is done, and when.
func (s *Step) How() string {
	how := ""
	switch s.Kind {
	case KindManual:
		how = "for a person to do"
	case KindShell:
		how = "runs once " + strings.Join(s.Approve, " or ") + " agrees"
		if s.Safe {
			how = "runs by itself"
		}
		how += ", for " + s.Timeout.String() + " at most"
	case KindHTTP:
		how = fmt.Sprintf("asked by itself until it answers %d", s.Status)
		for i, text := range s.Contains {
			how += []string{" with ", " and "}[min(i, 1)] + quoted(text)
		}
		how += ", for " + s.Timeout.String() + " at most"
	case KindSQL:
		how = "asks " + s.Source + " by itself until it answers"
		if s.Source == "" {
			how = "asks the first source by itself until it answers"
		}
		if s.Expect != "" {
			how += " " + quoted(s.Expect)
		}
		how += ", for " + s.Timeout.String() + " at most"
	case KindPlaybook:
		how = "starts a playbook, which asks before it changes anything"
	case KindSay:
		how = "goes to " + map[To]string{ToChannel: "the channel", ToMail: "mail", ToBoth: "the channel and mail"}[s.To] + " once you have read it"
	}
	for i, c := range s.When {
		how += []string{"; only if ", " and "}[min(i, 1)] + c.Step + " " + c.Ending.words()
	}
	return how
}

// words say an ending after the name of a step.
func (e Ending) words() string {
	switch e {
	case EndingOK:
		return "went well"
	case EndingSkipped:
		return "was skipped"
	case EndingDidNotHelp:
		return "did not help"
	case EndingFailed:
	}
	return string(e)
}

// flowed wraps each line of a plain text, below a margin. Items of lists hang behind
// their marker, and code stands as it is.
func flowed(text, margin string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.TrimLeft(line, " ")
		hang := line[:len(line)-len(words)]
		if len(hang) >= 4 || words == "" {
			b.WriteString(strings.TrimRight(margin+line, " ") + "\n")
			continue
		}
		if marker, _, ok := strings.Cut(words, " "); ok && (marker == "-" || marker == ">") {
			hang += "  "
		}
		for i, part := range wrap(words, terminalWidth-len(margin)-len(hang)) {
			before := hang
			if i == 0 {
				before = line[:len(line)-len(words)]
			}
			b.WriteString(margin + before + part + "\n")
		}
	}
	return b.String()
}
