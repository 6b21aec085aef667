package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// page is what the template of the recovery kit needs. The page holds secret keys.
type page struct {
	Made, Owners string
	Services     []config.Service
	Destinations []pageDestination
	Keys         []pageKey // the first is the one that new sets are sealed for
	Trusted      []string
}

// pageDestination is a destination, and what copies its objects by hand.
type pageDestination struct {
	config.Destination
	S3     bool
	Remote string // name of its remote in rclone's settings
	From   string // what holds the folders of services: a folder, or a remote and a path
}

// pageKey is an age key.
type pageKey struct {
	Secret, Recipient string
}

// newPage makes the kit of an installation that is to be printed at now.
func newPage(cfg *config.Config, keys []pageKey, now time.Time) (*page, error) {
	p := &page{Made: now.UTC().Format("2 January 2006"), Services: cfg.Services, Keys: keys, Trusted: cfg.Signing.Trusted}
	var owners []string
	for _, s := range cfg.Services {
		if !slices.Contains(owners, s.Owner) {
			owners = append(owners, s.Owner)
		}
	}
	p.Owners = strings.Join(owners, ", ")
	for i, d := range cfg.Destinations {
		u, err := url.Parse(d.URL)
		if err != nil {
			return nil, fmt.Errorf("write recovery kit: the destination %s is no URL", d.Name)
		}
		pd := pageDestination{Destination: d, S3: u.Scheme == "s3", From: strings.TrimSuffix(u.Path, "/")}
		if pd.S3 {
			pd.Remote = "backup"
			if i > 0 {
				pd.Remote += fmt.Sprint(i + 1)
			}
			pd.From = pd.Remote + ":" + u.Host + pd.From
			if d.Endpoint != "" {
				pd.Region = givenRegion(d.Region)
			}
		}
		p.Destinations = append(p.Destinations, pd)
	}
	return p, nil
}

// givenRegion leaves out the region that every S3 server other than AWS takes.
func givenRegion(region string) string {
	if region == "us-east-1" {
		return ""
	}
	return region
}

// render writes the page.
func (p *page) render() ([]byte, error) { return render("recovery-kit.md.tmpl", p) }

// Title names the services: "a, b and c".
func (p *page) Title() string {
	names := p.names()
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return names[0]
}

func (p *page) names() []string {
	var names []string
	for _, s := range p.Services {
		names = append(names, s.Name)
	}
	return names
}

// Others names the services after the first one, for a comment.
func (p *page) Others() string { return strings.Join(p.names()[1:], ", ") }

// AnyS3 says whether one of the destinations is a bucket.
func (p *page) AnyS3() bool {
	return slices.ContainsFunc(p.Destinations, func(d pageDestination) bool { return d.S3 })
}

// Postgres says whether there is a PostgreSQL source.
func (p *page) Postgres() bool { return len(p.sources(recovery.KindPostgres)) > 0 }

// Files lists the SQLite sources.
func (p *page) Files() []config.Source { return p.sources(recovery.KindSQLite) }

func (p *page) sources(kind string) []config.Source {
	var found []config.Source
	for _, s := range p.Services {
		for _, source := range s.Sources {
			if source.Kind == kind {
				found = append(found, source)
			}
		}
	}
	return found
}

// kitIgnored keeps kits out of Git: the first one, and those that follow it.
const kitIgnored = "/recovery-kit*.md"

// nextKit is where a kit made at now is written, beside the config file.
func nextKit(file string, now time.Time) string {
	return filepath.Join(filepath.Dir(file), "recovery-kit-"+now.UTC().Format("20060102T150405Z")+".md")
}
