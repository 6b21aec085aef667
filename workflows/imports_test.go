package workflows_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Workflow code stays light and deterministic only while nothing heavy creeps
// into it by way of a shared package.
func TestWorkflowsImportNoVendor(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	deps := string(out)
	require.Contains(t, deps, "go.temporal.io/sdk/workflow", "the list is the right one")
	for _, vendor := range []string{"github.com/aws/", "github.com/jackc/", "gocloud.dev", "github.com/slack-go/", "modernc.org/", "filippo.io/age"} {
		for dep := range strings.SplitSeq(deps, "\n") {
			require.NotContains(t, dep, vendor)
		}
	}
}
