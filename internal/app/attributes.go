package app

import (
	"context"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// registerAttributes makes the search attributes that the playbooks set, because
// a run that sets an unknown one stands still. Where the worker may not register
// them, the error holds the command for someone who may.
func registerAttributes(ctx context.Context, c client.Client, namespace string) error {
	listed, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("list search attributes: %w", err)
	}
	missing := map[string]enums.IndexedValueType{}
	command := []string{"temporal operator search-attribute create --namespace " + namespace}
	for _, a := range workflows.SearchAttributes() {
		if _, ok := listed.GetCustomAttributes()[a.GetName()]; !ok {
			missing[a.GetName()] = a.GetValueType()
			command = append(command, "--name "+a.GetName()+" --type Keyword")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	if err != nil {
		return recovery.NewFault(recovery.Permanent, fmt.Errorf("register search attributes: %w", err), "run: "+strings.Join(command, " "))
	}
	return nil
}
