package process_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgramDiesWithItsParent(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(self(t))
	cmd.Env = append(os.Environ(), "PROCESS_TEST_PARENT=1")
	cmd.Stdout = w
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	readPids(t, r, 1)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	requireEOF(t, r) // the program held the pipe
}
