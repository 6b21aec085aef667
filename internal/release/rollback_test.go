package release_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

func TestRemedies(t *testing.T) {
	spec := &recovery.DeploySpec{
		Deploy: []string{"deploy"}, FlagOff: []string{"off"}, FlagOn: []string{"on"}, Switch: []string{"switch"}, SwitchBack: []string{"back"},
	}
	for remedy, c := range map[release.Remedy]struct {
		args string
		undo release.Remedy
	}{
		release.Deploy: {"deploy", ""}, release.FlagOff: {"off", release.FlagOn}, release.FlagOn: {"on", ""},
		release.Switch: {"switch", release.SwitchBack}, release.SwitchBack: {"back", ""},
	} {
		require.Equal(t, []string{c.args}, remedy.Args(spec), remedy)
		require.Equal(t, c.undo, remedy.Undo(), remedy)
	}
	require.Empty(t, release.FlagOff.Args(&recovery.DeploySpec{}))
	require.Empty(t, release.Remedy("reboot").Args(spec))
}

func TestLastChange(t *testing.T) {
	r := &release.Rollback{}
	require.Nil(t, r.Last())
	r.Changes = []release.Change{{State: release.Unhealthy}, {State: release.Healthy}}
	require.Equal(t, release.Healthy, r.Last().State)
}
