package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/workflows"
)

// chooseQueues returns the queues this worker polls: those asked for, or else all
// that it can serve. Without a readable private key it cannot serve restore.
func chooseQueues(cfg *config.Config, asked []string) ([]string, error) {
	known := []string{workflows.QueueLifeboat, workflows.QueueRestore}
	for _, service := range cfg.Services {
		if queue := workflows.HostQueue(service.Host); !slices.Contains(known, queue) {
			known = append(known, queue)
		}
	}
	for _, queue := range asked {
		if !slices.Contains(known, queue) {
			return nil, fmt.Errorf("read queue %q: the config knows %s", queue, strings.Join(known, ", "))
		}
	}
	keyErr := haveKey(cfg)
	if len(asked) > 0 {
		if slices.Contains(asked, workflows.QueueRestore) && keyErr != nil {
			return nil, fmt.Errorf("serve the queue %s: %w", workflows.QueueRestore, keyErr)
		}
		return asked, nil
	}
	if keyErr != nil {
		return slices.DeleteFunc(known, func(q string) bool { return q == workflows.QueueRestore }), nil
	}
	return known, nil
}

// haveKey says why this worker cannot open sealed bytes, nil if it can.
func haveKey(cfg *config.Config) error {
	_, err := (&store{cfg: cfg, enc: cfg.EncryptionSpec()}).identities()
	return err
}
