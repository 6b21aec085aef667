package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static
var static embed.FS

// pages are the templates by name.
type pages map[string]*template.Template

func parsePages() pages {
	functions := template.FuncMap{
		"money": func(price int) string { return strings.Repeat("€", price) },
		"stars": func(rating int) string {
			return strings.Repeat("★", rating) + strings.Repeat("☆", max(0, 5-rating))
		},
	}
	parsed := pages{}
	for _, name := range []string{"home", "login", "recommendations", "restaurant", "notes", "problem"} {
		parsed[name] = template.Must(template.New("layout.html").Funcs(functions).ParseFS(pageFiles, "pages/layout.html", "pages/"+name+".html"))
	}
	return parsed
}

// view is what a page shows.
type view struct {
	User    *user
	Drill   bool
	Release string
	Data    any
}

func (a *app) view(r *http.Request, data any) view {
	return view{User: a.sessions.of(r), Drill: a.config.drill, Release: release, Data: data}
}

// show writes a page, or nothing of it if it cannot be made.
func (p pages) show(w http.ResponseWriter, status int, name string, v view) error {
	var page bytes.Buffer
	if err := p[name].Execute(&page, v); err != nil {
		return fmt.Errorf("make page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, err := page.WriteTo(w)
	return err
}
