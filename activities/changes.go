package activities

import (
	"context"
	"fmt"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Changes changes production: it looks at live sources, puts restored ones in
// their place, and runs the service's commands. Steps for files and commands run
// on the service's host.
type Changes struct {
	Lives    Lives
	Staging  Staging
	Services Services
}

// LiveInput names a source of a service.
type LiveInput struct {
	Plan   recovery.Plan `json:"plan"`
	Source string        `json:"source"`
}

// InspectLive says what a production source is now.
func (c *Changes) InspectLive(ctx context.Context, in LiveInput) (*recovery.LiveState, error) {
	ctx, w := begin(ctx, "looking at production's "+in.Source)
	live, err := c.Lives.OpenLive(ctx, &in.Plan, in.Source)
	if err != nil {
		return nil, w.finish(ctx, err)
	}
	state, err := live.Inspect(ctx)
	return state, w.finish(ctx, err)
}

// PlanSwapInput names the restored copy that is to take production's place.
type PlanSwapInput struct {
	Plan  recovery.Plan `json:"plan"`
	Copy  CopyRef       `json:"copy"`
	Stamp string        `json:"stamp"` // for the name of what is set aside
	// Switch is the lasting name of the copy, if the service is pointed to it instead of
	// it being renamed.
	Switch string `json:"switch,omitempty"`
}

// PlanSwap names all that a swap moves, by identity: whatever happens, it moves
// nothing else.
func (c *Changes) PlanSwap(ctx context.Context, in PlanSwapInput) (*recovery.Swap, error) {
	ctx, w := begin(ctx, "preparing the swap of "+in.Copy.Artefact.Source)
	swap, err := c.planSwap(ctx, in)
	return swap, w.finish(ctx, err)
}

func (c *Changes) planSwap(ctx context.Context, in PlanSwapInput) (*recovery.Swap, error) {
	live, err := c.Lives.OpenLive(ctx, &in.Plan, in.Copy.Artefact.Source)
	if err != nil {
		return nil, err
	}
	state, err := live.Inspect(ctx)
	if err != nil {
		return nil, err
	}
	if len(state.Refusals) > 0 {
		return nil, recovery.NewFault(recovery.Permanent, fmt.Errorf("swap %s: %s", state.Where, state.Refusals[0]), "")
	}
	name, aside, retired := in.Switch, state.Name, in.Switch
	if in.Switch == "" {
		if name, err = live.Beside(in.Copy); err != nil {
			return nil, err
		}
		aside, retired = live.Aside(in.Stamp), live.Aside(in.Stamp+"-undone")
	}
	identity, err := live.Identity(ctx, name)
	if err != nil {
		return nil, err
	}
	return &recovery.Swap{
		Source: in.Copy.Artefact.Source, Kind: in.Copy.Artefact.Kind, Live: state.Name,
		Out: state.Identity, In: identity, New: name, Aside: aside, Retired: retired,
	}, nil
}

// SwapInput holds a planned swap.
type SwapInput struct {
	Plan recovery.Plan `json:"plan"`
	Swap recovery.Swap `json:"swap"`
	// Stopped says that the service was stopped by its command.
	Stopped bool `json:"stopped,omitempty"`
}

// SwapLive puts a restored copy in production's place. Asked again, it finds that
// it was done, or finishes what a killed worker began.
func (c *Changes) SwapLive(ctx context.Context, in SwapInput) (*recovery.Swapped, error) {
	ctx, w := begin(ctx, "swapping "+in.Swap.Source)
	live, err := c.Lives.OpenLive(ctx, &in.Plan, in.Swap.Source)
	if err != nil {
		return nil, w.finish(ctx, err)
	}
	swapped, err := live.Swap(ctx, in.Swap, in.Stopped)
	return swapped, w.finish(ctx, err)
}

// NamedInput names something of a source by name and identity.
type NamedInput struct {
	Plan     recovery.Plan `json:"plan"`
	Source   string        `json:"source"`
	Name     string        `json:"name"`
	Identity string        `json:"identity"`
}

// DropAside removes what a swap has set aside.
func (c *Changes) DropAside(ctx context.Context, in NamedInput) error {
	ctx, w := begin(ctx, "removing "+in.Name)
	live, err := c.Lives.OpenLive(ctx, &in.Plan, in.Source)
	if err != nil {
		return w.finish(ctx, err)
	}
	return w.finish(ctx, live.Drop(ctx, in.Name, in.Identity))
}

// SweepBesideInput names a source, and the run that holds the lock of its service.
type SweepBesideInput struct {
	Plan    recovery.Plan   `json:"plan"`
	Source  string          `json:"source"`
	Current recovery.RunRef `json:"current"`
}

// SweepBeside removes the copies that earlier runs left beside production.
func (c *Changes) SweepBeside(ctx context.Context, in SweepBesideInput) error {
	ctx, w := begin(ctx, "sweeping left-over copies")
	live, err := c.Lives.OpenLive(ctx, &in.Plan, in.Source)
	if err != nil {
		return w.finish(ctx, err)
	}
	return w.finish(ctx, live.SweepBeside(ctx, in.Current))
}

// KeepInput names a restored copy that stays beside production.
type KeepInput struct {
	Plan recovery.Plan `json:"plan"`
	Copy CopyRef       `json:"copy"`
}

// Kept is a restored copy that stays beside production.
type Kept struct {
	Source   string `json:"source"`
	Name     string `json:"name"`
	Identity string `json:"identity"`
	Where    string `json:"where"` // for a person
}

// KeepBeside gives a restored copy a lasting name.
func (c *Changes) KeepBeside(ctx context.Context, in KeepInput) (*Kept, error) {
	ctx, w := begin(ctx, "keeping "+in.Copy.Artefact.Source+" beside production")
	kept, err := c.keep(ctx, in)
	return kept, w.finish(ctx, err)
}

func (c *Changes) keep(ctx context.Context, in KeepInput) (*Kept, error) {
	live, err := c.Lives.OpenLive(ctx, &in.Plan, in.Copy.Artefact.Source)
	if err != nil {
		return nil, err
	}
	kept := &Kept{Source: in.Copy.Artefact.Source}
	if kept.Name, kept.Where, err = live.Keep(ctx, in.Copy); err != nil {
		return nil, err
	}
	kept.Identity, err = live.Identity(ctx, kept.Name)
	return kept, err
}

// TryBeside starts the service on the copies beside production, as its own role,
// and tries it out.
func (c *Changes) TryBeside(ctx context.Context, in StagingInput) (*recovery.SmokeProof, error) {
	return tryOut(ctx, c.Staging, in)
}

// CommandName names one of the service's commands.
type CommandName string

// The commands. Each may be run again.
const (
	CommandStop           CommandName = "stop"
	CommandStart          CommandName = "start"
	CommandMaintenanceOn  CommandName = "maintenanceOn"
	CommandMaintenanceOff CommandName = "maintenanceOff"
)

// CommandInput names a command of a service.
type CommandInput struct {
	Plan    recovery.Plan `json:"plan"`
	Command CommandName   `json:"command"`
}

// RunCommand runs one of the service's commands to its end.
func (c *Changes) RunCommand(ctx context.Context, in CommandInput) error {
	ctx, w := begin(ctx, "running the command "+string(in.Command))
	return w.finish(ctx, c.Services.RunCommand(ctx, &in.Plan, string(in.Command)))
}

// SwitchInput holds a swap that the user's own command makes.
type SwitchInput struct {
	Plan   recovery.Plan `json:"plan"`
	Source string        `json:"source"`
	Name   string        `json:"name"` // of the database that the service shall use
}

// SwitchDatabase tells the service, by the user's own command, which database to
// use.
func (c *Changes) SwitchDatabase(ctx context.Context, in SwitchInput) error {
	ctx, w := begin(ctx, "switching the service to "+in.Name)
	return w.finish(ctx, c.Services.SwitchDatabase(ctx, &in.Plan, in.Source, in.Name))
}

// LivePlan names a service that runs.
type LivePlan struct {
	Plan recovery.Plan `json:"plan"`
}

// CheckLive sees whether the running service is well.
func (c *Changes) CheckLive(ctx context.Context, in LivePlan) (*recovery.SmokeProof, error) {
	ctx, w := begin(ctx, "checking the running service")
	proof, err := c.Services.CheckLive(ctx, &in.Plan)
	return proof, w.finish(ctx, err)
}

// OfferKey makes, on the service's host, a key for this run alone, with which the
// host can open what is handed to it. It returns the public part, and where the
// host keeps the private one.
func (c *Changes) OfferKey(ctx context.Context, in CopyInput) (*recovery.EncryptionSpec, error) {
	ctx, w := begin(ctx, "making a key for the hand-over")
	key, err := c.Lives.OfferKey(ctx, &in.Plan, in.Copy)
	return key, w.finish(ctx, err)
}

// CompareDigest reads a restored file and compares the digest of its fingerprint
// with the one in the manifest: the host cannot open the sealed fingerprint.
func (c *Changes) CompareDigest(ctx context.Context, in CopyInput) (*Compared, error) {
	ctx, w := begin(ctx, "comparing "+in.Copy.Artefact.Source)
	out, err := c.compareDigest(ctx, in)
	return out, w.finish(ctx, err)
}

func (c *Changes) compareDigest(ctx context.Context, in CopyInput) (*Compared, error) {
	a := &in.Copy.Artefact
	if a.Mode == recovery.FingerprintOff {
		return &Compared{}, nil
	}
	restored, err := c.Staging.OpenCopy(ctx, &in.Plan, in.Copy)
	if err != nil {
		return nil, err
	}
	got, err := restored.Fingerprint(ctx)
	if err != nil {
		return nil, err
	}
	digest, err := got.Digest()
	if err != nil {
		return nil, err
	}
	out := &Compared{Compared: true, Rows: got.Rows()}
	if digest != a.Fingerprint {
		out.Differences = []recovery.Difference{{Kind: recovery.DifferentData, What: a.Source, How: "its fingerprint is not the one in the manifest"}}
	}
	return out, nil
}

// DropBeside removes the copies of a run that stand beside production.
func (c *Changes) DropBeside(ctx context.Context, in StagingInput) error {
	ctx, w := begin(ctx, "removing the restored copies")
	return w.finish(ctx, dropCopies(ctx, c.Staging, in))
}
