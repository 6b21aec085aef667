package rig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/sandbox"
)

// StarterElsewhere runs the CLI to its end as on a new machine: in a folder of its
// own, with no variables but those given, each as NAME=value.
func (r *Rig) StarterElsewhere(dir string, env []string, args ...string) Output {
	r.t.Helper()
	cmd := exec.Command(filepath.Join(binaries, "starter"), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		require.NoError(r.t, err)
	}
	return Output{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

// Kit is what a person types off the printed recovery kit.
func (r *Rig) Kit() string {
	r.t.Helper()
	file, err := os.ReadFile(r.KeyFile())
	require.NoError(r.t, err)
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	return fmt.Sprintf("service: %s\ndestination: s3://%s/%s\nendpoint: %s\npathStyle: true\nregion: us-east-1\nkey: %s\ntrusted: %s\n",
		sandbox.Service, sandbox.Bucket, sandbox.Prefix, r.S3.Endpoint, lines[len(lines)-1], r.Config.Trusted)
}
