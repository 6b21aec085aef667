package app

import (
	"context"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// StockAt weighs what a destination keeps of a service, for its price.
func StockAt(ctx context.Context, cfg *config.Config, plan *recovery.Plan, dest recovery.DestinationSpec, now time.Time) (recovery.Stock, error) {
	stock := recovery.Stock{Destination: dest.Name, Class: dest.Class}
	if stock.Class == "" && strings.HasPrefix(dest.URL, "s3://") {
		stock.Class = "STANDARD" // what S3 takes where none is said
	}
	v, err := OpenVault(ctx, cfg, dest)
	if err != nil {
		return stock, err
	}
	defer func() { _ = v.Close() }()
	if stock.Fates, err = FatesAt(ctx, cfg, plan, v, now); err != nil {
		return stock, err
	}
	if stock.Objects, err = v.Weigh(ctx, plan.Service); err != nil {
		return stock, err
	}
	if prices, ok := cfg.Prices().Destinations[dest.Name]; ok {
		stock.Price, stock.Prices = prices.Default, prices.Classes
	}
	return stock, nil
}

// FatesAt says what retention does to each set of a service at a destination, newest
// first. What may be using a set at the moment is not asked.
func FatesAt(ctx context.Context, cfg *config.Config, plan *recovery.Plan, v *vault.Vault, now time.Time) ([]recovery.Fate, error) {
	trusted, err := TrustedKeys(cfg)
	if err != nil {
		return nil, err
	}
	holdings, err := Holdings(ctx, v, plan.Service, trusted)
	if err != nil {
		return nil, err
	}
	return recovery.PlanPrune(plan.PruneRules(), holdings, nil, now)
}
