package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// drilled is a key-loss drill at one place, and where that is written down.
type drilled struct {
	recovery.KeyDrill
	OK       bool   `json:"passed"`
	Document string `json:"document,omitempty"`   // key in the bucket; empty: it could not be written
	NotKept  string `json:"notWritten,omitempty"` // why
	err      error
}

func (c *cli) drillKeys(ctx context.Context, kitFile string) error {
	path := kitPath(kitFile)
	if path == "" {
		return &exitError{code: exitUsage, err: errors.New("there is no recovery kit here"), hint: "name it with --kit"}
	}
	k, err := readKit(path)
	if err != nil {
		return err
	}
	o, err := k.open()
	if err != nil {
		return err
	}
	services := k.Services
	if k.Service != "" {
		services = []string{k.Service}
	}
	var places []*drilled
	for _, spec := range o.places {
		places = append(places, c.drillPlace(ctx, o, spec, services))
	}
	if c.json {
		err = c.printJSON(places)
	} else {
		err = c.printDrilled(places)
	}
	return cmp.Or(err, drillError(places))
}

// drillPlace opens what is at one place, and writes down there what came of it.
func (c *cli) drillPlace(ctx context.Context, o *opened, spec recovery.DestinationSpec, services []string) *drilled {
	d := &drilled{KeyDrill: recovery.KeyDrill{Destination: spec.URL, By: whoAmI(), Started: c.now().UTC(), Sets: []recovery.KeyDrillSet{}}}
	v, err := openKitVault(ctx, spec)
	if err != nil {
		d.end(c.now(), err)
		return d
	}
	defer func() { _ = v.Close() }()
	drill := &app.KeyDrill{Identities: o.identities, Trusted: o.trusted, Tell: func(service string, o recovery.Object) {
		c.notef("%s: %s: opening %s, %s", spec.URL, service, o.Name, recovery.Bytes(o.Size))
	}}
	sets, err := drill.Open(ctx, v, services)
	d.Sets = append(d.Sets, sets...)
	d.end(c.now(), err)
	d.record(ctx, v)
	return d
}

// end notes the outcome.
func (d *drilled) end(now time.Time, err error) {
	if err == nil && len(d.Sets) == 0 {
		err = errors.New("there is no recovery set here")
	}
	d.Ended, d.err = now.UTC(), err
	if err != nil && !d.explained() {
		d.Error = err.Error()
	}
	d.OK = d.Passed()
}

// explained says whether it stands beside a set why the drill failed.
func (d *drilled) explained() bool {
	return slices.ContainsFunc(d.Sets, func(s recovery.KeyDrillSet) bool { return s.Error != "" })
}

// record writes the outcome down where the sets are. That it cannot is no failure of
// the drill: the keys of a bucket may be for reading alone.
func (d *drilled) record(ctx context.Context, v *vault.Vault) {
	if err := v.PutOnce(ctx, d.Key(), []byte(d.Markdown())); err != nil {
		d.NotKept = err.Error()
		return
	}
	d.Document = d.Key()
}

// whoAmI names who runs this, and where.
func whoAmI() string {
	name := "somebody"
	if who, err := user.Current(); err == nil {
		name = who.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + " on " + host
}

func (c *cli) printDrilled(places []*drilled) error {
	var b strings.Builder
	for _, d := range places {
		result := "PASSED"
		if !d.OK {
			result = "FAILED"
		}
		fmt.Fprintf(&b, "%s: the kit alone at %s, in %s\n", result, d.Destination, recovery.Duration(d.Ended.Sub(d.Started).Round(time.Millisecond)))
		for _, s := range d.Sets {
			fmt.Fprintf(&b, "  %s: %s: %s", s.Service, cmp.Or(string(s.Set), "no set"), s.Result())
			if s.Error == "" {
				fmt.Fprintf(&b, ", %s, %s, in %s", count(s.Objects, "object"), recovery.Bytes(s.Size), s.Took)
			}
			b.WriteString("\n")
		}
		if d.Error != "" {
			fmt.Fprintf(&b, "  %s\n", d.Error)
		}
		switch {
		case d.Document != "":
			fmt.Fprintf(&b, "  written down at %s\n", d.Document)
		case d.NotKept != "":
			fmt.Fprintf(&b, "  not written down, note it elsewhere: %s\n", d.NotKept)
		}
	}
	return c.printf("%s", b.String())
}

// drillError chooses the exit code: what was found of sets before what could not be
// reached.
func drillError(places []*drilled) error {
	var first *exitError
	failed := 0
	for _, d := range places {
		if d.OK {
			continue
		}
		failed++
		if e := d.exit(); first == nil || e.code == exitDisproven && first.code != exitDisproven {
			first = e
		}
	}
	if first == nil {
		return nil
	}
	first.err = fmt.Errorf("the drill failed at %d of %s: %w", failed, count(len(places), "place"), first.err)
	return first
}

// exit says what the failure of a drill means to who ran it.
func (d *drilled) exit() *exitError {
	if exit, ok := errors.AsType[*exitError](d.err); ok {
		return &exitError{code: exit.code, err: exit.err, hint: exit.hint}
	}
	e := &exitError{code: codeOf(bucketError(d.err)), err: d.err}
	fault, ok := errors.AsType[*recovery.Fault](d.err)
	if ok {
		e.err, e.hint = fault.Err, fault.Hint // the hint has a line of its own
	}
	unopened := slices.ContainsFunc(d.Sets, func(s recovery.KeyDrillSet) bool { return s.Error != "" && s.Set != "" })
	switch {
	case recovery.KindOf(d.err) == recovery.Unavailable:
		e.hint = cmp.Or(e.hint, "run it again once that answers")
	case unopened:
		e.code = exitDisproven
		e.hint = cmp.Or(e.hint, "the set is damaged, or signed by another key than the kit names: run 'starter verify' for the service")
	}
	return e
}
