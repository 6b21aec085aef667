package sandbox

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed where2eat.sh
var control []byte

// Serve prepares Where2Eat to run as a service at an address (host:port): it
// writes the script that starts and stops it, and names both in the config. The
// caller writes the config, starts the service and stops it.
func (s *Sandbox) Serve(address string) error {
	folder := filepath.Dir(s.NotesPath())
	program, err := filepath.EvalSymlinks(s.Config.Where2Eat)
	if err != nil {
		return fmt.Errorf("find Where2Eat: %w", err)
	}
	lines := []string{"WHERE2EAT_PROGRAM=" + quote(program), "WHERE2EAT_LISTEN=" + quote(address)}
	for name, value := range s.Env() {
		if strings.HasPrefix(name, "WHERE2EAT_") && name != "WHERE2EAT_ADMIN_URL" {
			lines = append(lines, name+"="+quote(value))
		}
	}
	slices.Sort(lines)
	err = errors.Join(
		os.WriteFile(filepath.Join(folder, "where2eat.env"), []byte(strings.Join(lines, "\n")+"\n"), 0o600),
		os.WriteFile(filepath.Join(folder, "where2eat.sh"), control, 0o700),
	)
	if err != nil {
		return fmt.Errorf("prepare Where2Eat: %w", err)
	}
	s.Config.Commands = &Commands{Stop: []string{"./where2eat.sh", "stop"}, Start: []string{"./where2eat.sh", "start"}}
	s.Config.LiveURL = "http://" + address
	return nil
}

func quote(value string) string { return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'" }

// StartService starts Where2Eat, unless it runs.
func (s *Sandbox) StartService(ctx context.Context) error { return s.control(ctx, "start") }

// StopService stops Where2Eat, if it runs.
func (s *Sandbox) StopService(ctx context.Context) error { return s.control(ctx, "stop") }

func (s *Sandbox) control(ctx context.Context, what string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(s.NotesPath()), "where2eat.sh"), what)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s Where2Eat: %w: %s", what, err, out)
	}
	return nil
}
