package release

import (
	"fmt"
	"slices"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// recent is how many rollbacks tell how long the next one will take.
const recent = 5

// Expected says how long a rollback takes, from those that went well.
func Expected(records []Record) string {
	var took []recovery.Duration
	var staged recovery.Duration
	for _, r := range records {
		switch {
		case r.Kind == Deployed && r.Verdict == recovery.Proven && r.Took > 0:
			took = append(took, r.Took)
		case r.Kind == Staged && r.Took > 0:
			staged = r.Took
		}
	}
	took = took[max(len(took)-recent, 0):]
	slices.Sort(took)
	switch n := len(took); {
	case n > 1:
		return fmt.Sprintf("%s, the median of the last %d rollbacks", took[n/2], n)
	case n == 1:
		return took[0].String() + ", as the last rollback did"
	case staged > 0:
		return "not known: this is the first rollback; to staging, the last deploy and its tests took " + staged.String()
	}
	return "not known: this is the first rollback"
}
