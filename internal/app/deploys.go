package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/deploy"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/release"
)

// deploys knows the releases of the services of this host.
type deploys struct {
	configs *configs
}

// Current implements activities.Deploys.
func (d *deploys) Current(ctx context.Context, plan *recovery.Plan) (*release.Tag, error) {
	host, err := d.host(plan)
	if err != nil {
		return nil, err
	}
	return host.Current(ctx)
}

// Tags implements activities.Deploys.
func (d *deploys) Tags(ctx context.Context, plan *recovery.Plan) ([]release.Tag, error) {
	host, err := d.host(plan)
	if err != nil {
		return nil, err
	}
	return host.Tags(ctx)
}

// Compare implements activities.Deploys.
func (d *deploys) Compare(ctx context.Context, plan *recovery.Plan, from, to release.Tag) (*release.Comparison, error) {
	host, err := d.host(plan)
	if err != nil {
		return nil, err
	}
	return host.Compare(ctx, from, to)
}

func (d *deploys) host(plan *recovery.Plan) (*deploy.Host, error) {
	if plan.Deploy == nil {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("learn about releases of %s: nothing is known of how it is deployed", plan.Service), "write deploy into the config")
	}
	cfg, err := d.configs.load()
	if err != nil {
		return nil, err
	}
	env, secrets, err := environment(cfg, plan.Deploy.Env)
	if err != nil {
		return nil, err
	}
	return &deploy.Host{Spec: plan.Deploy, Env: env, Hide: secrets.hide}, nil
}

// environment is that of a command of a service: what all commands have and what the
// config gives it, sorted, with the secrets that are in it.
func environment(cfg *config.Config, given map[string]string) ([]string, *mask, error) {
	env, secrets := map[string]string{}, &mask{}
	for _, variable := range config.CommandEnvironment() {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		env[name] = given[name]
		if config.IsReference(given[name]) {
			secret, err := cfg.Reveal(given[name])
			if err != nil {
				return nil, nil, fmt.Errorf("set %s for a command: %w", name, err)
			}
			env[name] = secret.Reveal()
			secrets.add(secret.Reveal())
		}
	}
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list, secrets, nil
}
