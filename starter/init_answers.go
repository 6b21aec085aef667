package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/config"
)

// answers is what init has to know.
type answers struct {
	service, owner, person         string
	postgres, sqlite               string
	destination, endpoint, region  string
	accessKey, secretKey           string
	copyURL, copyEndpoint          string
	copyRegion                     string
	copyAccessKey, copySecretKey   string
	stagingFolder, stagingPostgres string
	input                          *bufio.Reader // what a person writes
}

// question is one thing to know: a flag, a prompt, and the field that it fills.
type question struct {
	flag     string
	help     string
	field    string // of the config file
	answer   *string
	fallback string // taken for an empty answer
	required bool
	idle     bool // has no meaning beside the other answers
	flagOnly bool // nobody is asked
}

// none is what a person writes to go without.
const none = "-"

func given(answer string) bool { return answer != "" && answer != none }

// noVariable matches what a variable's name cannot hold.
var noVariable = regexp.MustCompile(`^[0-9]|[^A-Za-z0-9]`)

// questions returns what there is to know, in the order in which it is asked;
// later ones depend on earlier answers.
func (a *answers) questions() []question {
	source, variable := 0, "DATABASE_URL"
	if given(a.postgres) {
		source = 1
	}
	if a.service != "" {
		variable = strings.ToUpper(noVariable.ReplaceAllString(a.service, "_")) + "_DATABASE_URL"
	}
	return []question{
		{flag: "service", help: "short name of the service, such as where2eat", field: "services[0].name", answer: &a.service, required: true},
		{flag: "owner", help: "who answers for the service", field: "services[0].owner", answer: &a.owner, required: true},
		{flag: "person", help: "short name of the person at this machine, who approves drills and restores", field: "people." + a.person, answer: &a.person, fallback: shortName(a.owner)},
		{flag: "postgres", help: "where the URL of its PostgreSQL database is found, as env:NAME or file:PATH", field: "services[0].sources[0].url", answer: &a.postgres, fallback: "env:" + variable},
		{flag: "sqlite", help: "path of its SQLite file", field: fmt.Sprintf("services[0].sources[%d].path", source), answer: &a.sqlite},
		{flag: "destination", help: "where backups are kept: s3://bucket/prefix or file:///folder", field: "destinations[0].url", answer: &a.destination, required: true},
		{flag: "endpoint", help: "address of the S3 server, such as https://s3.example.com; none for AWS", field: "destinations[0].endpoint", answer: &a.endpoint, idle: !isS3(a.destination)},
		{flag: "region", help: "region of the bucket; needed for AWS", field: "destinations[0].region", answer: &a.region, idle: !isS3(a.destination)},
		{flag: "access-key", help: "where the S3 access key is found", field: "destinations[0].accessKey", answer: &a.accessKey, fallback: "env:LIFEBOAT_S3_ACCESS_KEY", idle: !isS3(a.destination)},
		{flag: "secret-key", help: "where the S3 secret key is found", field: "destinations[0].secretKey", answer: &a.secretKey, fallback: "env:LIFEBOAT_S3_SECRET_KEY", idle: !isS3(a.destination)},
		{flag: "copy-url", help: "where copies of the backups are kept, best at another provider: s3://bucket/prefix or file:///folder", field: "destinations[1].url", answer: &a.copyURL, flagOnly: true},
		{flag: "copy-endpoint", help: "address of the copies' S3 server; none for AWS", field: "destinations[1].endpoint", answer: &a.copyEndpoint, idle: !isS3(a.copyURL), flagOnly: true},
		{flag: "copy-region", help: "region of the copies' bucket; needed for AWS", field: "destinations[1].region", answer: &a.copyRegion, idle: !isS3(a.copyURL), flagOnly: true},
		{flag: "copy-access-key", help: "where the copies' S3 access key is found", field: "destinations[1].accessKey", answer: &a.copyAccessKey, fallback: "env:LIFEBOAT_COPY_ACCESS_KEY", idle: !isS3(a.copyURL), flagOnly: true},
		{flag: "copy-secret-key", help: "where the copies' S3 secret key is found", field: "destinations[1].secretKey", answer: &a.copySecretKey, fallback: "env:LIFEBOAT_COPY_SECRET_KEY", idle: !isS3(a.copyURL), flagOnly: true},
		{flag: "staging-folder", help: "private folder in which files are restored to be proven", field: "staging.folder", answer: &a.stagingFolder, required: true},
		{flag: "staging-postgres", help: "where the URL of the PostgreSQL server for restored databases is found", field: "staging.postgres.url", answer: &a.stagingPostgres, fallback: "env:STAGING_DATABASE_URL", idle: !given(a.postgres)},
	}
}

var noName = regexp.MustCompile(`[^a-z0-9]+`)

// shortName makes a name of a config file from what a person is called.
func shortName(called string) string {
	name := noName.ReplaceAllString(strings.ToLower(called), "-")
	name = strings.Trim(name[:min(len(name), 40)], "-")
	if name == "" {
		return "owner"
	}
	return name
}

// isS3 says whether a destination is a bucket.
func isS3(url string) bool { return strings.HasPrefix(url, "s3:") }

// place is a destination, for the template of the config.
type place struct {
	Name, URL, Endpoint, Region, AccessKey, SecretKey string
	S3                                                bool
}

// places returns where backups go: the destination, and that of copies if there is
// one.
func (a *answers) places() []place {
	all := []place{{"main", a.destination, a.endpoint, a.region, a.accessKey, a.secretKey, isS3(a.destination)}}
	if a.copyURL != "" {
		all = append(all, place{"copy", a.copyURL, a.copyEndpoint, a.copyRegion, a.copyAccessKey, a.copySecretKey, isS3(a.copyURL)})
	}
	return all
}

// complete fills in what may be left out and names the flags that may not.
func (a *answers) complete() error {
	var missing, idle []string
	for _, q := range a.questions() {
		switch {
		case q.required && *q.answer == "":
			missing = append(missing, "--"+q.flag)
		case q.idle && *q.answer != "":
			idle = append(idle, "--"+q.flag)
		case *q.answer == "" && !q.idle && q.flag != "postgres":
			*q.answer = q.fallback
		}
	}
	if !given(a.postgres) && !given(a.sqlite) {
		missing = append(missing, "--postgres or --sqlite")
	}
	switch {
	case len(missing) > 0:
		return &exitError{
			code: exitUsage,
			err:  fmt.Errorf("nobody can be asked here, and flags are missing: %s", strings.Join(missing, ", ")),
			hint: "give them, or run 'starter init' on a terminal",
		}
	case len(idle) > 0:
		return &exitError{code: exitUsage, err: fmt.Errorf("these flags have no meaning beside the others: %s", strings.Join(idle, ", "))}
	}
	return a.tidy()
}

// tidy clears what a person chose to go without, and makes a path that they wrote
// relative to where they are absolute.
func (a *answers) tidy() error {
	for _, q := range a.questions() {
		if *q.answer == none {
			*q.answer = ""
		}
	}
	if a.sqlite == "" {
		return nil
	}
	path, err := filepath.Abs(a.sqlite)
	a.sqlite = path
	return err
}

// askAll asks what no flag has answered.
func (c *cli) askAll(ctx context.Context, a *answers) error {
	a.input = bufio.NewReader(c.stdin)
	// Later questions depend on earlier answers, so they are looked up one by one.
	for i := range a.questions() {
		q := a.questions()[i]
		if q.idle || *q.answer != "" {
			continue
		}
		if q.flagOnly {
			*q.answer = q.fallback
			continue
		}
		if err := c.ask(ctx, a.input, q); err != nil {
			return err
		}
	}
	return a.tidy()
}

// ask asks until there is an answer that can be one.
func (c *cli) ask(ctx context.Context, input *bufio.Reader, q question) error {
	prompt := q.help
	switch {
	case q.fallback != "" && q.flag == "postgres":
		prompt += " (" + none + " for none)"
	case !q.required && q.fallback == "":
		prompt += " (empty for none)"
	}
	if q.fallback != "" {
		prompt += " [" + q.fallback + "]"
	}
	for {
		_, _ = fmt.Fprintf(c.stderr, "%s: ", prompt)
		line, err := readLine(ctx, input)
		answer := strings.TrimSpace(line)
		switch {
		case errors.Is(err, io.EOF) && answer == "":
			c.notef("")
			return &exitError{code: exitUsage, err: fmt.Errorf("ask for %s: the input ended", q.flag), hint: "answer, or give --" + q.flag}
		case err != nil && !errors.Is(err, io.EOF):
			c.notef("")
			return fmt.Errorf("ask for %s: %w", q.flag, err)
		case answer == "" && q.required:
			c.notef("  this is needed")
			continue
		case answer == none:
			answer = ""
		case answer == "":
			answer = q.fallback
		}
		*q.answer = answer
		return nil
	}
}

// readLine reads a line, or stops waiting for one when ctx ends: reading a
// terminal cannot be interrupted otherwise.
func readLine(ctx context.Context, input *bufio.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := input.ReadString('\n')
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return "", errors.New("interrupted; nothing was changed")
	}
}

// badAnswer is an answer that makes no good config.
type badAnswer struct {
	question question
	problem  string
}

// blame finds the answers that are behind the problems of a config file. A
// problem that no answer can have caused is returned as it is.
func (a *answers) blame(err error) ([]badAnswer, error) {
	var problems *config.Problems
	if !errors.As(err, &problems) {
		return nil, err
	}
	var bad []badAnswer
	questions := a.questions()
	for _, p := range problems.List {
		if !slices.ContainsFunc(questions, func(q question) bool { return q.behind(p.Field) }) {
			return nil, fmt.Errorf("make config: %w", err)
		}
	}
	for _, q := range questions {
		for _, p := range problems.List {
			if q.behind(p.Field) {
				p.Field = ""
				bad = append(bad, badAnswer{question: q, problem: p.String()})
			}
		}
	}
	return bad, nil
}

// behind says whether the answer fills a field. That there is no source at all is
// a matter of two answers.
func (q question) behind(field string) bool {
	if field == "services[0].sources" {
		return q.flag == "postgres" || q.flag == "sqlite"
	}
	return q.field == field && !q.idle
}

// askAgain asks for other answers in place of bad ones.
func (c *cli) askAgain(ctx context.Context, a *answers, bad []badAnswer) error {
	for _, b := range bad {
		c.notef("  %s: %s", b.question.flag, b.problem)
		if err := c.ask(ctx, a.input, b.question); err != nil {
			return err
		}
	}
	return a.tidy()
}
