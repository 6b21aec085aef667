// Histories records the history of a workflow for the replay tests: while
// `make demo` of a release is up, and after `. .demo/env`,
//
//	go run ./test/histories NAME WORKFLOW_ID [RUN_ID]
//
// writes workflows/testdata/histories/NAME.json. Paths and names of the machine it
// was recorded on are taken out.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "histories:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
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
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	if err := neutralise(ctx, &h, root); err != nil {
		return err
	}
	data, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(&h)
	if err != nil {
		return err
	}
	data = identity.ReplaceAll(data, []byte(`"identity": "worker"`))
	return os.WriteFile(filepath.Join("workflows/testdata/histories", args[0]+".json"), append(data, '\n'), 0o644)
}

var identity = regexp.MustCompile(`"identity": *"[^"]*"`)

// neutralise takes the folder of this clone out of every payload.
func neutralise(ctx context.Context, h *history.History, root string) error {
	return proxy.VisitPayloads(ctx, h, proxy.VisitPayloadsOptions{
		Visitor: func(_ *proxy.VisitPayloadsContext, payloads []*common.Payload) ([]*common.Payload, error) {
			for _, p := range payloads {
				p.Data = bytes.ReplaceAll(p.Data, []byte(root), []byte("/srv/lifeboat"))
			}
			return payloads, nil
		},
	})
}
