package app_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/approval"
	"github.com/lifeboat-run/lifeboat/internal/slackapp"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// starter is a Temporal that only starts runs.
type starter struct {
	client.Client
	options client.StartWorkflowOptions
	started any
	input   []any
}

func (s *starter) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, playbook any, input ...any) (client.WorkflowRun, error) {
	s.options, s.started, s.input = options, playbook, input
	return run{id: options.ID}, nil
}

type run struct {
	client.WorkflowRun
	id string
}

func (r run) GetID() string  { return r.id }
func (run) GetRunID() string { return "run-1" }

func TestTheDeskStartsARollback(t *testing.T) {
	h := newHouse(t)
	temporal := &starter{}
	desk := &app.Desk{Via: approval.ViaSlack, Client: temporal, Config: h.config}
	begin := func(to string) string {
		t.Helper()
		_, err := desk.Start(t.Context(), slackapp.Start{Playbook: workflows.TypeRollback, Service: "where2eat", To: to, By: "rebecca", Key: "k"})
		require.NoError(t, err)
		require.Equal(t, workflows.TypeRollback, temporal.started)
		require.Len(t, temporal.input, 1)
		in := temporal.input[0].(workflows.RollbackInput)
		require.Equal(t, "where2eat", in.Service)
		require.Equal(t, to, in.To)
		require.Equal(t, "rebecca", in.Requested.By)
		require.Equal(t, approval.ViaSlack, in.Requested.Via)
		return temporal.options.ID
	}
	require.Equal(t, begin("v1.2"), begin("v1.2"), "the same key is the same run")
	require.Contains(t, begin(""), "Rollback/where2eat/")
}

func TestTheDeskSaysWhatCanBeRolledBack(t *testing.T) {
	const deploy = "    deploy: { current: { command: [./current.sh] }, deploy: [./deploy.sh, '{tag}'] }\n"
	const policies = "people: { rebecca: { cli: rebecca } }\napprovals: { policies: { restore: { approvers: [rebecca], selfAfter: 15m, unverified: accepted } } }\n"
	for name, test := range map[string]struct {
		deploy, policies string
		want             bool
	}{
		"how, and who approves it": {deploy, policies, true},
		"nobody approves it":       {deploy, "", false},
		"nobody says how":          {"", policies, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.service += test.deploy
			h.rest = test.policies
			services, err := (&app.Desk{Config: h.config}).Services(t.Context())
			require.NoError(t, err)
			require.Len(t, services, 1)
			require.Equal(t, test.want, services[0].CanRollBack)
		})
	}
}
