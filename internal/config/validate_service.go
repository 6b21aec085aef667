package config

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// reserved are names that mean something else in the bucket, at its top or below
// drills/.
var reserved = []string{"drills", "decisions", "keys"}

func (v *validator) service(path string, s *Service) {
	if slices.Contains(reserved, s.Name) {
		v.problem(path+".name", "is kept for a folder of Lifeboat's own in the bucket", "choose another name")
	}
	v.name(path+".host", s.Host)
	if s.Dir != "" {
		s.Dir = v.config.absolute(s.Dir)
	}
	v.unique(path+".sources", len(s.Sources), func(i int) string { return s.Sources[i].Name })
	for i := range s.Sources {
		v.source(at(path+".sources", i), s, &s.Sources[i])
	}
	if s.Smoke != nil {
		v.smoke(path+".smoke", s)
	}
	if s.Live != nil {
		v.live(path+".live", s.Live)
	}
	v.schedule(path, s)
	v.commands(path+".commands", s)
	if s.Deploy != nil {
		v.deploy(path+".deploy", s)
	}
	v.variables(path+".variables", s.Variables)
	v.policies(path+".policies", &s.Policies)
}

func (v *validator) source(path string, s *Service, source *Source) {
	need := func(name, mend string) {
		if !v.given(path + "." + name) {
			v.problem(path+"."+name, "is missing", mend)
		}
	}
	switch source.Kind {
	case recovery.KindPostgres:
		need("url", "write env:NAME or file:PATH; postgres sources need it")
		v.only(path, recovery.KindSQLite, "path")
		v.tables(path+".tables", source.Tables)
		v.command(path+".swapCommand", source.SwapCommand)
		if v.given("encryption.identities") && !v.given("staging.postgres") {
			v.problem(path, "is a postgres source that cannot be restored anywhere", "write staging.postgres, or leave out encryption.identities")
		}
	case recovery.KindSQLite:
		need("path", "write the path of the database file; sqlite sources need it")
		v.only(path, recovery.KindPostgres, "url", "tables", "admin", "swapCommand")
		v.sqlitePath(path+".path", s, source)
	}
}

func (v *validator) tables(path string, tables []string) {
	for i, table := range tables {
		switch {
		case strings.TrimSpace(table) == "":
			v.problem(at(path, i), "is missing", "write a table's name, such as public.users")
		case slices.Contains(tables[:i], table):
			v.problem(at(path, i), "is there twice", "keep one of the two")
		}
	}
}

// sqlitePath makes the path absolute and keeps it inside the service's folder.
func (v *validator) sqlitePath(path string, s *Service, source *Source) {
	if source.Path == "" {
		return
	}
	if s.Dir == "" {
		service, _, _ := strings.Cut(path, ".sources")
		if !filepath.IsAbs(source.Path) && !v.given(service+".dir") {
			v.problem(path, "is relative, and the service has no dir", "write an absolute path, or give the service a dir")
		}
		source.Path = filepath.Clean(source.Path)
		return
	}
	if !filepath.IsAbs(source.Path) {
		source.Path = filepath.Join(s.Dir, source.Path)
	}
	source.Path = filepath.Clean(source.Path)
	switch {
	case !inside(s.Dir, source.Path):
		v.problem(path, "leads out of the service's dir", "write a path inside "+show(s.Dir))
	case !inside(followed(s.Dir), followed(source.Path)):
		v.problem(path, "leads out of the service's dir by a symbolic link", "write a path whose file lies inside "+show(s.Dir))
	}
}

func inside(base, path string) bool {
	relative, err := filepath.Rel(base, path)
	return err == nil && relative != "." && filepath.IsLocal(relative)
}

// followed resolves the symbolic links of that part of path which exists here.
func followed(path string) string {
	for existing := path; ; existing = filepath.Dir(existing) {
		if resolved, err := filepath.EvalSymlinks(existing); err == nil {
			return filepath.Join(resolved, strings.TrimPrefix(path, existing))
		}
		if existing == filepath.Dir(existing) {
			return path
		}
	}
}
