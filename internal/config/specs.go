package config

import "github.com/lifeboat-run/lifeboat/internal/recovery"

// DestinationSpecs returns where sets are kept, as runs use it.
func (c *Config) DestinationSpecs() []recovery.DestinationSpec {
	specs := make([]recovery.DestinationSpec, len(c.Destinations))
	for i, d := range c.Destinations {
		specs[i] = d.spec()
	}
	return specs
}

// EncryptionSpec returns for whom sets are sealed, as runs use it.
func (c *Config) EncryptionSpec() recovery.EncryptionSpec {
	return recovery.EncryptionSpec{Recipients: c.Encryption.Recipients, Identities: string(c.Encryption.Identities)}
}
