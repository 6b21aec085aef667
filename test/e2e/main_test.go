// Package e2e_test runs whole backups and verifications on real servers, with
// worker and CLI as real processes.
package e2e_test

import (
	"os"
	"testing"

	"github.com/lifeboat-run/lifeboat/test/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m)) }
