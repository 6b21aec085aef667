package recovery

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Guide writes RESTORE.md: how to restore this very set by hand, with stock
// tools. It is a pure function of its inputs, like the manifest.
func Guide(m *Manifest, dest DestinationSpec) []byte {
	g := &guide{m: m, dest: dest}
	g.head()
	g.fetch()
	g.check()
	for i := range m.Artefacts {
		g.restore(&m.Artefacts[i])
	}
	g.line("## Then")
	g.line("")
	g.line("Point the service at the restored data, start it, and look at it before anyone else does.")
	g.line("The opened files hold everything in clear: delete the folder `recovery` when you are done.")
	return []byte(g.b.String())
}

type guide struct {
	m    *Manifest
	dest DestinationSpec
	b    strings.Builder
}

func (g *guide) line(format string, args ...any) {
	if len(args) == 0 {
		g.b.WriteString(format)
	} else {
		fmt.Fprintf(&g.b, format, args...)
	}
	g.b.WriteByte('\n')
}

func (g *guide) sh(lines ...string) {
	g.line("```sh")
	for _, l := range lines {
		g.line("%s", l)
	}
	g.line("```")
	g.line("")
}

func (g *guide) head() {
	g.line("# Restore %s from recovery set %s", g.m.Service, g.m.Set)
	g.line("")
	g.line("Made %s. Lifeboat is not needed for this: only the age key, and the programs", g.m.Created.UTC().Format("2006-01-02 15:04:05 MST"))
	g.line("`age` (1.1 or newer), `zstd`, and those of the databases below.")
	g.line("")
	for _, a := range g.m.Artefacts {
		g.line("- `%s`: %s, data as of %s, %s", a.Source, a.Tool, a.Snapshot.UTC().Format("2006-01-02 15:04:05 MST"), Bytes(a.Dump.PlainSize))
	}
	for _, f := range g.m.Failures {
		g.line("- `%s` is NOT in this set: it could not be backed up", f.Source)
	}
	g.line("")
	g.line("Run the commands in this order, in one shell and in an empty folder. Before you begin, say where the")
	g.line("age key lies: `export KEY=/path/to/age.key`.")
	g.line("")
}

func (g *guide) fetch() {
	g.line("## 1. Fetch the files")
	g.line("")
	elsewhere := g.elsewhere()
	if len(elsewhere) > 0 {
		g.line("Some sources were not due when this set was made: their files lie in the folders of earlier sets.")
		g.line("")
	}
	if folder, ok := strings.CutPrefix(g.dest.URL, "file://"); ok {
		root := strings.TrimRight(folder, "/") + "/"
		commands := []string{"mkdir -p recovery", fmt.Sprintf("cp %s/* recovery/", quote(root+setFolder(g.m.Service, g.m.Set)))}
		for _, a := range elsewhere {
			commands = append(commands, fmt.Sprintf("cp %s/%s.%d.* recovery/", quote(root+setFolder(g.m.Service, a.Set)), a.Source, a.Attempt))
		}
		g.sh(append(commands, "cd recovery")...)
		return
	}
	remote := g.remote()
	g.line("Any S3 client will do. With rclone, and the bucket's keys in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`:")
	g.line("")
	commands := []string{fmt.Sprintf("rclone copy %s recovery", quote(remote+setFolder(g.m.Service, g.m.Set)))}
	for _, a := range elsewhere {
		commands = append(commands, fmt.Sprintf("rclone copy %s recovery --include '%s.%d.*'", quote(remote+setFolder(g.m.Service, a.Set)), a.Source, a.Attempt))
	}
	g.sh(append(commands, "cd recovery")...)
}

// elsewhere lists the artefacts that lie in the folders of other sets.
func (g *guide) elsewhere() []Artefact {
	return slices.DeleteFunc(slices.Clone(g.m.Artefacts), func(a Artefact) bool { return a.Set == g.m.Set })
}

func setFolder(service string, set SetID) string {
	return strings.TrimSuffix(SetPrefix(service, set), "/")
}

// remote is the destination as rclone names it, up to the keys.
func (g *guide) remote() string {
	bucket := strings.TrimPrefix(g.dest.URL, "s3://")
	if u, err := url.Parse(g.dest.URL); err == nil {
		bucket = strings.Trim(u.Host+u.Path, "/")
	}
	remote := []string{":s3", "provider=Other", "env_auth=true", fmt.Sprintf("force_path_style=%t", g.dest.PathStyle)}
	if g.dest.Endpoint != "" {
		remote = append(remote, `endpoint="`+g.dest.Endpoint+`"`)
	} else {
		remote[1] = "provider=AWS"
	}
	if g.dest.Region != "" {
		remote = append(remote, "region="+g.dest.Region)
	}
	return strings.Join(remote, ",") + ":" + bucket + "/"
}

func (g *guide) check() {
	g.line("## 2. Check that nothing is damaged")
	g.line("")
	lines := []string{"sha256sum -c <<'END'"}
	for _, a := range g.m.Artefacts {
		for _, o := range a.Objects() {
			lines = append(lines, o.SHA256+"  "+o.Name)
		}
	}
	g.sh(append(lines, "END")...)
}

func (g *guide) restore(a *Artefact) {
	g.line("## Restore `%s`", a.Source)
	g.line("")
	plain := a.Source + "." + DumpExt(a.Kind)
	open := func(o Object, to string) string {
		return fmt.Sprintf(`age -d -i "$KEY" %s | zstd -dq -o %s`, o.Name, to)
	}
	switch a.Kind {
	case KindPostgres:
		g.line("Into a new database `%s_restored` on the server that `PGHOST`, `PGPORT`, `PGUSER` and `PGPASSWORD` name,", a.Source)
		g.line("as a superuser, with the client programs of PostgreSQL %s or newer.", major(a.ServerVersion))
		for _, e := range a.Extensions {
			g.line("The server needs the extension `%s` (%s).", e.Name, e.Version)
		}
		g.line("")
		commands := []string{open(a.Dump, plain)}
		if o, ok := a.Companion(RoleDatabase); ok {
			commands = append(commands, open(o, a.Source+".database.sql"),
				fmt.Sprintf("psql -X -q -v ON_ERROR_STOP=1 -v database=%s_restored -d postgres -f %s.database.sql", a.Source, a.Source))
		} else {
			commands = append(commands, fmt.Sprintf("createdb --template=template0 %s_restored", a.Source))
		}
		// The dump was made with these settings; the database's own may differ.
		g.sh(append(commands, fmt.Sprintf("PGOPTIONS='-c lc_monetary=C -c default_transaction_read_only=off' pg_restore --exit-on-error -d %s_restored %s", a.Source, plain))...)
		if _, ok := a.Companion(RoleDatabase); ok {
			g.line("Roles are made without a password and cannot log in: give those that must `ALTER ROLE … LOGIN PASSWORD …`.")
			g.line("")
		}
	case KindSQLite:
		g.sh(open(a.Dump, plain), fmt.Sprintf("sqlite3 %s 'pragma integrity_check'", plain))
		g.line("Stop the service, move its old file and the `-wal` and `-shm` beside it away together, and put `%s` in their place.", plain)
		g.line("")
	}
}

func major(version string) string {
	if m, _, ok := strings.Cut(version, "."); ok {
		return m
	}
	return version
}

// quote makes one word of a shell command of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
