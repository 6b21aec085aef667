package workflows_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-run/lifeboat/activities"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// elsewhere is what several destinations hold, and what is the matter with them.
type elsewhere struct {
	copies map[string]map[recovery.SetID]*recovery.Manifest // of the destinations besides main
	silent map[string]time.Time                             // until when a destination does not answer
	before func(what string)                                // is called before a dump and before a commit

	badReads   map[string][]error      // by destination, one for each object that is read back
	writes     map[string]func() error // what writing an object fails with, by destination
	planSetErr map[string]error
	unreadable map[string]error // what reading a manifest fails with, by destination
	thawErr    map[string]error // what fetching from cold storage fails with
	awaited    []string         // URLs of the destinations that were waited for
	sendErr    map[string]error // by the destination that is copied from
	receiveErr map[string]error // by the destination that is copied to
	unsealErr  map[string]error
	pruned     map[string][]recovery.SetID // of which a destination has tombstones
	holdings   map[string][]recovery.Holding
	bound      map[recovery.SetID]recovery.PrunedSet // those that may not be removed yet
	cold       []recovery.Thawing                    // one each time that it is fetched, then all can be read
}

func newElsewhere() elsewhere {
	return elsewhere{
		copies: map[string]map[recovery.SetID]*recovery.Manifest{}, silent: map[string]time.Time{}, badReads: map[string][]error{},
		writes: map[string]func() error{}, planSetErr: map[string]error{}, unreadable: map[string]error{}, thawErr: map[string]error{},
		sendErr: map[string]error{}, receiveErr: map[string]error{}, unsealErr: map[string]error{}, holdings: map[string][]recovery.Holding{},
		pruned: map[string][]recovery.SetID{}, bound: map[recovery.SetID]recovery.PrunedSet{},
	}
}

// also gives the service more destinations.
func (w *world) also(names ...string) *world {
	for _, name := range names {
		w.plan.Destinations = append(w.plan.Destinations, recovery.DestinationSpec{Name: name, URL: "file:///" + name})
	}
	return w
}

// sets are those at a destination. The caller holds mu.
func (w *world) sets(destination string) map[recovery.SetID]*recovery.Manifest {
	if destination == "main" {
		return w.manifests
	}
	if w.copies[destination] == nil {
		w.copies[destination] = map[recovery.SetID]*recovery.Manifest{}
	}
	return w.copies[destination]
}

// keep makes a set exist at a destination.
func (w *world) keep(destination string, m *recovery.Manifest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sets(destination)[m.Set] = m
}

// holds says whether a set is at a destination.
func (w *world) holds(destination string, set recovery.SetID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sets(destination)[set] != nil
}

// proofsAt are those of the copies at a destination.
func (w *world) proofsAt(destination string) []recovery.Proof {
	w.mu.Lock()
	defer w.mu.Unlock()
	var proofs []recovery.Proof
	for _, p := range w.proofs {
		if p.Copy == destination {
			proofs = append(proofs, p)
		}
	}
	return proofs
}

// silence makes a destination not answer until then.
func (w *world) silence(destination string, until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent[destination] = until
}

// answers says why a destination does not, by the clock of the run.
func (w *world) answers(destination string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clock().Before(w.silent[destination]) {
		return errors.New("dial tcp: connection to " + destination + " refused")
	}
	return nil
}

func (w *world) happens(what string) {
	if w.before != nil {
		w.before(what)
	}
}

// await lets AwaitDestination wait by the clock of the run, for what it asks for or
// until the destination answers. The activity itself waits by the machine's clock.
func (w *world) await(env *testsuite.TestWorkflowEnvironment) {
	for _, d := range w.plan.Destinations {
		for _, limit := range []time.Duration{0, 5 * time.Minute, time.Hour} {
			asked := func(in activities.AwaitDestinationInput) bool {
				return in.For.Std() == limit && in.Destination.Name == d.Name
			}
			env.OnActivity("AwaitDestination", anything, mock.MatchedBy(asked)).AfterFn(func() time.Duration {
				w.mu.Lock()
				defer w.mu.Unlock()
				return min(max(w.silent[d.Name].Sub(w.clock()), 0), limit)
			}).Return(func(_ context.Context, in activities.AwaitDestinationInput) (*activities.Awaited, error) {
				w.awaited = append(w.awaited, in.Destination.URL)
				if err := w.answers(d.Name); err != nil {
					return &activities.Awaited{Error: err.Error()}, nil
				}
				return &activities.Awaited{Answers: true}, nil
			}).Maybe()
		}
	}
}

// seen is what a run has started.
type seen struct {
	mu       sync.Mutex
	children []string       // ids, in order
	steps    map[string]int // how often each was tried, also by run: "outage/main LoadPlan"
	sets     []recovery.SetID
	asked    []string        // among which destinations it was chosen
	timers   []time.Duration // in order
}

// watch notes which child workflows and steps a run starts.
func watch(env *testsuite.TestWorkflowEnvironment) *seen {
	s := &seen{steps: map[string]int{}}
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.children = append(s.children, info.WorkflowExecution.ID)
	})
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, args converter.EncodedValues) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.steps[info.ActivityType.Name]++
		s.steps[info.WorkflowExecution.ID+" "+info.ActivityType.Name]++
		var choice activities.ChooseDestinationInput
		if info.ActivityType.Name == "ChooseDestination" && args.Get(&choice) == nil {
			s.asked = append(s.asked, namesOf(choice.Destinations))
		}
		var dump activities.DumpSourceInput
		if info.ActivityType.Name == "DumpSource" && args.Get(&dump) == nil && (len(s.sets) == 0 || s.sets[len(s.sets)-1] != dump.Set) {
			s.sets = append(s.sets, dump.Set)
		}
	})
	env.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.timers = append(s.timers, d)
	})
	return s
}

func namesOf(destinations []recovery.DestinationSpec) string {
	var names []string
	for _, d := range destinations {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}

// longer keeps the timers that are longer than that.
func (s *seen) longer(than time.Duration) []time.Duration {
	var timers []time.Duration
	for _, d := range s.timers {
		if d > than {
			timers = append(timers, d)
		}
	}
	return timers
}
