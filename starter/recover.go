package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-run/lifeboat/internal/app"
	"github.com/lifeboat-run/lifeboat/internal/config"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
	"github.com/lifeboat-run/lifeboat/internal/vault"
)

// recoverFlags are what `recover` is asked.
type recoverFlags struct {
	service                           string
	kit                               string
	bucket, endpoint, region, trusted string
	keyFile                           string
	pathStyle                         bool
	set                               string
	toPostgres, toFolder              string
	databases                         map[string]string
	tools                             []string
	yes, accept                       bool
}

func (c *cli) recoverCommand() *cobra.Command {
	f := &recoverFlags{}
	cmd := &cobra.Command{
		Use:   "recover [SERVICE]",
		Short: "Bring data back on a new machine, with the recovery kit alone",
		Long: `Restore a recovery set where nothing of Lifeboat is left but its recovery kit:
neither config nor Temporal nor a worker is needed, only the bucket and, for
PostgreSQL, a server and its client programs.

PostgreSQL databases are restored into new databases, SQLite files into a folder.
Nothing is ever replaced. All is restored under other names first, compared with
what the source held, and gets its name when everything is there. Roles that the
server lacks are made without login.

Where the kit names copies, and the first place cannot be used, the next one is taken.

The bucket's keys are not in the kit: they are read from the variables that the
kit names, from LIFEBOAT_S3_ACCESS_KEY and LIFEBOAT_S3_SECRET_KEY, or from
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. What flags say wins over the kit.

` + exitCodes(exitReached, exitFailed, exitUsage, exitDisproven, exitUnreachable),
		Example: `  starter recover --kit recovery-kit.md --to-postgres env:NEW_SERVER_URL
  starter recover where2eat --set 20261122T180000Z-ab12cd --to-postgres file:url --database app=where2eat
  starter recover notes --bucket file:///mnt/backups --key-file age.key --trusted lifeboat-public-key-…`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.service = strings.Join(args, "")
			return c.recover(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.kit, "kit", "", "the recovery kit (default recovery-kit.md, if it is here)")
	flags.StringVar(&f.set, "set", "", "id of the recovery set (default the newest that was read back)")
	flags.StringVar(&f.toPostgres, "to-postgres", "", "where the URL of a PostgreSQL server is found, as env:NAME or file:PATH; it names a maintenance database and a superuser")
	flags.StringVar(&f.toFolder, "to-folder", ".", "folder for SQLite files")
	flags.StringToStringVar(&f.databases, "database", nil, "SOURCE=NAME: name of the new database of a source (default the source's name)")
	flags.StringSliceVar(&f.tools, "tools", nil, "folder that holds pg_restore and pg_dump, if they are not found")
	flags.StringVar(&f.bucket, "bucket", "", "where the sets are: s3://bucket/prefix or file:///folder")
	flags.StringVar(&f.endpoint, "endpoint", "", "address of the S3 server, such as https://s3.example.com")
	flags.StringVar(&f.region, "region", "", "region of the bucket")
	flags.BoolVar(&f.pathStyle, "path-style", false, "the server wants the bucket in the path; so with --endpoint")
	flags.StringVar(&f.keyFile, "key-file", "", "file with the secret age key")
	flags.StringVar(&f.trusted, "trusted", "", "public key that signatures are checked with (lifeboat-public-key-…)")
	flags.BoolVar(&f.yes, "yes", false, "do not ask whether the set is the right one")
	flags.BoolVar(&f.accept, "accept-differences", false, "keep also what differs from its source, and say in what")
	return cmd
}

func (c *cli) recover(ctx context.Context, f *recoverFlags) error {
	k := &kit{}
	var err error
	if path := kitPath(f.kit); path != "" {
		if k, err = readKit(path); err != nil {
			return err
		}
	} else if f.bucket == "" {
		return &exitError{code: exitUsage, err: errors.New("there is no recovery kit here"), hint: "name it with --kit, or give --bucket, --key-file and --trusted"}
	}
	if err := k.override(f); err != nil {
		return err
	}
	if err := k.chooseService(); err != nil {
		return err
	}
	o, err := k.open()
	if err != nil {
		return err
	}
	rescue := &app.Rescue{Identities: o.identities, ToolDirs: f.tools, Databases: f.databases, Accept: f.accept, Tell: c.tellRescue()}
	if rescue.Folder, err = filepath.Abs(f.toFolder); err != nil {
		return err
	}
	if f.toPostgres != "" {
		address, err := config.RevealHere(f.toPostgres)
		if err != nil {
			return &exitError{code: exitUsage, err: fmt.Errorf("read --to-postgres: %w", err)}
		}
		rescue.Server = address.Reveal()
	}
	if rescue.Vault, err = c.openKitPlace(ctx, k, o); err != nil {
		return err
	}
	defer func() { _ = rescue.Vault.Close() }()
	e, err := c.chooseEntry(ctx, f, k, rescue.Vault, o.trusted)
	if err != nil {
		return err
	}
	if err := checkDatabases(f.databases, e.Manifest); err != nil {
		return err
	}
	began := c.now()
	done, err := rescue.Restore(ctx, e.Manifest)
	if err != nil {
		return rescueError(err)
	}
	return c.printRescued(&rescued{
		Service: k.Service, Set: e.Set, Created: e.Manifest.Created, Sources: done, Missing: e.Manifest.Failures,
		Took: recovery.Duration(c.now().Sub(began).Round(time.Millisecond)),
	})
}

// openKitPlace opens the first place of the kit at which there are sets of the
// service, or else the last one.
func (c *cli) openKitPlace(ctx context.Context, k *kit, o *opened) (*vault.Vault, error) {
	for i, spec := range o.places {
		k.Destination = spec.URL
		v, err := openKitVault(ctx, spec)
		if i == len(o.places)-1 {
			return v, err
		}
		if err == nil {
			sets, listErr := v.Sets(ctx, k.Service, o.trusted, time.Time{}, 1)
			if len(sets) > 0 {
				return v, nil
			}
			if err = listErr; err == nil {
				err = errors.New("there is no recovery set of " + k.Service)
			}
			_ = v.Close()
		}
		c.notef("%s cannot be used: %s", spec.URL, err)
		c.notef("trying the copy at %s", o.places[i+1].URL)
	}
	return nil, errors.New("the kit names no place")
}

// openKitVault opens a place of the kit; its keys are in the environment.
func openKitVault(ctx context.Context, spec recovery.DestinationSpec) (*vault.Vault, error) {
	var cred vault.Credentials
	if strings.HasPrefix(spec.URL, "s3:") {
		access, secret, err := config.S3Keys(spec.AccessKey, spec.SecretKey)
		if err != nil {
			return nil, &exitError{code: exitUsage, err: err}
		}
		cred = vault.Credentials{AccessKey: access.Reveal(), SecretKey: secret.Reveal()}
	}
	v, err := vault.Open(ctx, spec, cred)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err, hint: "correct the lines from \"destination:\" on in the kit, or give --bucket, --endpoint and --region"}
	}
	return v, nil
}

// checkDatabases refuses names for sources that there are not.
func checkDatabases(databases map[string]string, m *recovery.Manifest) error {
	for source := range databases {
		if a, ok := m.Artefact(source); !ok || a.Kind != recovery.KindPostgres {
			return &exitError{code: exitUsage, err: fmt.Errorf("read --database: the set has no PostgreSQL source %q", source)}
		}
	}
	return nil
}

// rescueError chooses the exit code.
func rescueError(err error) error {
	fault, ok := errors.AsType[*recovery.Fault](err)
	switch {
	case errors.Is(err, app.ErrDiffers):
		return &exitError{code: exitDisproven, err: err, hint: "choose another set with --set, or keep it all the same with --accept-differences"}
	case ok && fault.Kind == recovery.Damaged:
		return &exitError{code: exitDisproven, err: err, hint: "choose another set with --set"}
	case ok && fault.Kind == recovery.Unavailable:
		return &exitError{code: exitUnreachable, err: err, hint: "run it again once that answers; nothing was left half-done"}
	}
	return err
}

// rescueEvery is how often it is told how far a restore is.
const rescueEvery = 5 * time.Second

// tellRescue returns what tells on stderr what is being done.
func (c *cli) tellRescue() func(app.RescueStep) {
	var mu sync.Mutex
	var said app.RescueStep
	var when time.Time
	return func(step app.RescueStep) {
		mu.Lock()
		defer mu.Unlock()
		fresh := step.Source != said.Source || step.Doing != said.Doing
		if !fresh && c.now().Sub(when) < rescueEvery {
			return
		}
		said, when = step, c.now()
		switch {
		case step.Of == 0:
			c.notef("%s: %s", step.Source, step.Doing)
		case step.Bytes == 0:
			c.notef("%s: %s %s", step.Source, step.Doing, recovery.Bytes(step.Of))
		default:
			c.notef("%s: %s, %s of %s", step.Source, step.Doing, recovery.Bytes(step.Bytes), recovery.Bytes(step.Of))
		}
	}
}
