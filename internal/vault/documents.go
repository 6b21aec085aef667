package vault

import "context"

// Documents lists the keys below prefix, sorted.
func (v *Vault) Documents(ctx context.Context, prefix string) ([]string, error) {
	return v.list(ctx, prefix, "")
}
