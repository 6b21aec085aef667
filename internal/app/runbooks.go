package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/runbook"
	"github.com/lifeboat-run/lifeboat/runbooks"
)

// builtIn is where a page that comes with Lifeboat seems to lie.
const builtIn = "built-in"

// Runbook is one page, with what is wrong with it.
type Runbook struct {
	Page     *runbook.Page
	Problems []runbook.Problem
	Markdown []byte // as it was written
}

// Runbooks reads the pages that come with Lifeboat, and those of a folder, which
// replace the ones of the same name; sorted by name. An empty folder is none. Only
// their form is checked.
func Runbooks(folder string) ([]Runbook, error) {
	byName := map[string]Runbook{}
	for _, read := range []func() ([]Runbook, error){
		func() ([]Runbook, error) { return readRunbooks(runbooks.Pages, builtIn) },
		func() ([]Runbook, error) { return RunbooksIn(folder) },
	} {
		books, err := read()
		if err != nil {
			return nil, err
		}
		for _, book := range books {
			byName[book.Page.Name] = book
		}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b Runbook) int { return cmp.Compare(a.Page.Name, b.Page.Name) }), nil
}

// RunbooksIn reads the pages of a folder: its files that end in .md, except for
// README.md. An empty folder is none. The fault is Permanent.
func RunbooksIn(folder string) ([]Runbook, error) {
	if folder == "" {
		return nil, nil
	}
	books, err := readRunbooks(os.DirFS(folder), folder)
	switch {
	case err != nil:
		if pathError, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathError.Err
		}
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read runbooks in %s: %w", folder, err), "name a folder that holds pages, NAME.md")
	case len(books) == 0:
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("read runbooks in %s: there is no page", folder), "put pages there, NAME.md; 'starter runbooks show NAME --markdown' prints one to begin with")
	}
	return books, nil
}

func readRunbooks(from fs.FS, at string) ([]Runbook, error) {
	files, err := fs.ReadDir(from, ".")
	if err != nil {
		return nil, err
	}
	var books []Runbook
	for _, file := range files {
		name := file.Name()
		if !strings.HasSuffix(name, ".md") || name == "README.md" {
			continue
		}
		text, err := readPage(from, name)
		if err != nil {
			return nil, err
		}
		page, problems := runbook.Parse(filepath.Join(at, name), text)
		books = append(books, Runbook{Page: page, Problems: problems, Markdown: text})
	}
	return books, nil
}

// readPage reads a page as far as it may be long.
func readPage(from fs.FS, name string) (text []byte, err error) {
	info, err := fs.Stat(from, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name)
	}
	file, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, runbook.MaxSize+1))
}

// CheckRunbooks adds what does not fit the config to the problems of pages.
func CheckRunbooks(cfg *config.Config, books []Runbook) error {
	known := runbook.Known{Approvers: slices.Sorted(maps.Keys(cfg.Persons))}
	known.Approvers = append(known.Approvers, slices.Sorted(maps.Keys(cfg.Groups))...)
	for _, name := range cfg.ServiceNames() {
		service, err := RunbookService(cfg, name)
		if err != nil {
			return err
		}
		known.Services = append(known.Services, service)
	}
	pages := make([]*runbook.Page, len(books))
	for i := range books {
		pages[i] = books[i].Page
		books[i].Problems = append(books[i].Problems, pages[i].Check(known)...)
	}
	for _, problem := range runbook.CheckAlerts(pages) {
		i := slices.IndexFunc(pages, func(p *runbook.Page) bool { return p.File == problem.File })
		books[i].Problems = append(books[i].Problems, problem)
	}
	for i := range books {
		slices.SortStableFunc(books[i].Problems, func(a, b runbook.Problem) int { return cmp.Compare(a.Line, b.Line) })
	}
	return nil
}

// RunbookService is what the config has to fill a page in for a service. Faults are
// those of [config.Config.Service].
func RunbookService(cfg *config.Config, name string) (runbook.Service, error) {
	s, err := cfg.Service(name)
	if err != nil {
		return runbook.Service{}, err
	}
	plan, err := cfg.Plan(name)
	if err != nil {
		return runbook.Service{}, err
	}
	service := runbook.Service{Name: name, Variables: s.Variables, Unable: map[string]string{}}
	for _, source := range plan.Sources {
		service.Sources = append(service.Sources, source.Name)
	}
	switch {
	case plan.Deploy == nil:
		service.Unable["Rollback"] = "write deploy for " + name + " into the config (docs/rollback.md)"
	case plan.Approvals.Rollback == nil:
		service.Unable["Rollback"] = "write approvals.policies.rollback into the config"
	}
	if plan.Deploy == nil || plan.Deploy.Staging == nil {
		service.Unable["SmokeDeploy"] = "write deploy.staging for " + name + " into the config (docs/rollback.md)"
	}
	if plan.Approvals.Restore == nil {
		service.Unable["Restore"] = "write approvals.policies.restore into the config (docs/restore.md)"
	}
	return service, nil
}
