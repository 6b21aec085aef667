package app_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/lifeboat-run/lifeboat/internal/once"
)

// TestMain lets this program supervise a command where it is started for that, as the
// worker does.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		if err := once.Supervise(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
