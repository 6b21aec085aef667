// Package runbooks holds the pages that come with Lifeboat.
package runbooks

import "embed"

// Pages are the pages, as NAME.md. Package runbook (below internal) reads them.
//
//go:embed *.md
var Pages embed.FS
