package activities

import (
	"context"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Plans reads the configuration.
type Plans struct {
	Configs Configs
}

// LoadPlanInput names the service.
type LoadPlanInput struct {
	Service string `json:"service"`
}

// LoadPlan returns the resolved, secret-free configuration of a service, and
// which commit of it this is. A run uses only this plan.
func (p *Plans) LoadPlan(ctx context.Context, in LoadPlanInput) (*recovery.Plan, error) {
	plan, err := p.Configs.Plan(ctx, in.Service)
	return plan, classify(ctx, err)
}

// ListServices names all services of the configuration.
func (p *Plans) ListServices(ctx context.Context) ([]string, error) {
	services, err := p.Configs.Services(ctx)
	return services, classify(ctx, err)
}
