package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

type pgError = pgconn.PgError

// fault gives an error of a session its meaning; doing says what was tried. Of
// what the server said only the sentence is kept: details hold user data.
func (s *server) fault(ctx context.Context, doing string, err error) error {
	switch e := refused(err); {
	case err == nil:
		return nil
	case e != nil:
		return s.meaning(doing, e.Code, e.Message, errors.New(clean(e.Message)+" (SQLSTATE "+e.Code+")"))
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	return recovery.NewFault(recovery.Unavailable, fmt.Errorf("%s: %s does not answer: %w", doing, s.address(), rootCause(err)), "")
}

// rootCause drops what pgx writes around an error, which repeats the address.
func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// toolFault gives the complaint of a client program its meaning.
func (s *server) toolFault(doing, complaint string) error {
	return s.meaning(doing, codeOf(complaint), complaint, errors.New(clean(complaint)))
}

// meaning tells what a person can mend from what will pass.
func (s *server) meaning(doing, code, message string, err error) error {
	permanent := func(hint string) error {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("%s: %w", doing, err), hint)
	}
	switch code {
	case "28P01":
		err = fmt.Errorf("password refused for user %s", s.config.User)
		return permanent("correct the password in the URL of " + s.title)
	case "28000":
		return permanent("correct user and host in the URL of " + s.title + ", or let the user in by the server's pg_hba.conf")
	case "3D000":
		return permanent("correct the database's name in the URL of " + s.title)
	case "42501":
		return permanent(s.grant(message))
	case "53100":
		return permanent("free disk space on the server of " + s.title)
	case "0A000", "58P01":
		if name := extensionIn(message); name != "" {
			return permanent("install the extension " + name + " on the server of " + s.title)
		}
		return permanent("")
	}
	if strings.Contains(message, "locale") && strings.HasPrefix(code, "42") {
		return permanent("install the locale on the server of " + s.title)
	}
	// Classes of errors that stay: data, rules, transaction state, syntax, unknown objects.
	switch code[:min(2, len(code))] {
	case "21", "22", "23", "25", "2B", "2F", "3F", "42", "44":
		return permanent("")
	}
	return recovery.NewFault(recovery.Unavailable, fmt.Errorf("%s: %w", doing, err), "")
}

// exhausted says whether a server refused something because it has no more of
// what it needs, such as disk space: class 53 of the SQLSTATEs, and I/O errors.
func exhausted(code string) bool { return strings.HasPrefix(code, "53") || code == "58030" }

var (
	deniedTo  = regexp.MustCompile(`permission denied for (table|view|materialized view|sequence|schema|relation|large object|foreign server|function) (.+)`)
	rowPolicy = regexp.MustCompile(`row-level security policy for table "(.+)"`)
	extension = regexp.MustCompile(`extension "([^"]+)" is not available|extension control file ".*/([^/"]+)\.control"`)
)

// grant names the right that is missing.
func (s *server) grant(message string) string {
	user := identifier(s.config.User)
	if m := deniedTo.FindStringSubmatch(firstLine(message)); m != nil {
		switch kind := m[1]; kind {
		case "schema":
			return "GRANT USAGE ON SCHEMA " + m[2] + " TO " + user
		case "sequence", "large object":
			return "GRANT SELECT ON " + strings.ToUpper(kind) + " " + m[2] + " TO " + user
		case "function":
			return "GRANT EXECUTE ON FUNCTION " + m[2] + " TO " + user
		case "foreign server":
			return "GRANT USAGE ON FOREIGN SERVER " + m[2] + " TO " + user
		}
		return "GRANT SELECT ON " + m[2] + " TO " + user
	}
	if rowPolicy.MatchString(message) {
		return "ALTER ROLE " + user + " BYPASSRLS"
	}
	return "give " + s.config.User + " the right"
}

func extensionIn(message string) string {
	if m := extension.FindStringSubmatch(message); m != nil {
		return m[1] + m[2]
	}
	return ""
}

// sentences tell the SQLSTATE of a complaint from its words: a client program
// prints no codes. The first that fits counts.
var sentences = []struct {
	code  string
	words *regexp.Regexp
}{
	{"28P01", regexp.MustCompile(`password authentication failed|no password supplied`)},
	{"3D000", regexp.MustCompile(`FATAL: +database ".*" does not exist`)},
	{"28000", regexp.MustCompile(`FATAL: +role ".*" does not exist|no pg_hba\.conf entry|authentication failed for user|is not permitted to log in`)},
	{"53300", regexp.MustCompile(`too many clients|remaining connection slots|too many connections`)},
	{"53100", regexp.MustCompile(`No space left on device|Disk quota exceeded`)},
	{"57P01", regexp.MustCompile(`terminating connection|the database system is|server closed the connection|Connection refused|timeout expired|SSL SYSCALL|Connection reset|no connection to the server|could not receive data`)},
	{"0A000", regexp.MustCompile(`extension ".*" is not available|extension control file`)},
	{"42501", regexp.MustCompile(`permission denied|must be owner|must be superuser|row-level security policy`)},
	{"42704", regexp.MustCompile(`ERROR: +(role|type|schema|tablespace|extension) ".*" does not exist`)},
	{"42P01", regexp.MustCompile(`ERROR: +relation ".*" does not exist|no matching (tables|schemas|extensions) were found`)},
}

func codeOf(complaint string) string {
	for _, s := range sentences {
		if s.words.MatchString(complaint) {
			return s.code
		}
	}
	return ""
}

// quoting finds the messages in which the server quotes values of rows.
var quoting = regexp.MustCompile(`(invalid input|invalid value|malformed|out of range|violates|invalid byte|could not (create|determine)|syntax error)`)

var (
	quoted = regexp.MustCompile(`"[^"]*"?`)
	status = regexp.MustCompile(`(ERROR|FATAL|PANIC): +`)
)

// clean makes one line of a message and hides what may be a value of a row.
func clean(message string) string {
	line := firstLine(message)
	if quoting.MatchString(line) && !strings.Contains(line, "violates row-level security") {
		line = quoted.ReplaceAllString(line, "(hidden)")
	}
	return status.ReplaceAllString(line, "")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}
