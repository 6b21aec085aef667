package app

import (
	"context"
	"errors"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// configs reads lifeboat.yaml anew for each use, so that a mended file counts
// from the next step on.
type configs struct {
	file string
}

func (c *configs) load() (*config.Config, error) {
	cfg, err := config.Load(c.file)
	if err != nil {
		return nil, recovery.NewFault(recovery.Permanent, err, "`starter config check` lists what to mend")
	}
	return cfg, nil
}

// Plan implements activities.Configs.
func (c *configs) Plan(_ context.Context, service string) (*recovery.Plan, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	return cfg.Plan(service)
}

// Services implements activities.Configs.
func (c *configs) Services(context.Context) ([]string, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	return cfg.ServiceNames(), nil
}

// Digest implements activities.Configs.
func (c *configs) Digest(context.Context) (*recovery.DigestSpec, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	spec := cfg.DigestPlan()
	if spec == nil {
		return nil, recovery.NewFault(recovery.Permanent, errors.New("make the digest: the config has none"), "write digest into the config, or remove its schedule with `starter schedules apply`")
	}
	return spec, nil
}
