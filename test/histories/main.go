// Histories records the history of a workflow for the replay tests: while
// `make demo` of a release is up in a clone at /srv/lifeboat, and after
// `. .demo/env`,
//
//	go run ./test/histories NAME WORKFLOW_ID [RUN_ID]
//
// writes workflows/testdata/histories/NAME.json. The place of the clone is always
// the same, because paths stand in plans, and decisions hold the digests of plans:
// paths cannot be taken out afterwards.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "histories:", err)
		os.Exit(1)
	}
}

// home is where histories are recorded.
const home = "/srv/lifeboat"

func run(ctx context.Context, args []string) error {
	if root, err := filepath.Abs("."); err != nil || root != home {
		return fmt.Errorf("record from a clone at %s, not at %s", home, root)
	}
	if len(args) < 2 || len(args) > 3 {
		return errors.New("usage: go run ./test/histories NAME WORKFLOW_ID [RUN_ID]")
	}
	c, err := client.DialContext(ctx, client.Options{HostPort: os.Getenv("TEMPORAL_ADDRESS")})
	if err != nil {
		return err
	}
	defer c.Close()
	runID := ""
	if len(args) == 3 {
		runID = args[2]
	}
	var h history.History
	for events := c.GetWorkflowHistory(ctx, args[1], runID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			return err
		}
		h.Events = append(h.Events, event)
	}
	data, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&h)
	if err != nil {
		return err
	}
	data = identity.ReplaceAll(data, []byte(`"identity": "worker"`))
	return os.WriteFile(filepath.Join("workflows/testdata/histories", args[0]+".json"), append(data, '\n'), 0o644)
}

var identity = regexp.MustCompile(`"identity": *"[^"]*"`)
