package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Preflight says why an artefact cannot be restored on this staging server,
// before anything is changed there. need is the disk space wanted in bytes, which
// is checked if the server is on this machine and its data folder can be seen.
// Staging must be another server than production, unless sameServer accepts it;
// a production that does not answer is no obstacle.
func (s *Staging) Preflight(ctx context.Context, a recovery.Artefact, need int64, productionURL string, sameServer bool) error {
	maintenance, err := s.server()
	if err != nil {
		return err
	}
	if _, err := s.tools(ctx, maintenance); err != nil {
		return err
	}
	return maintenance.withConn(ctx, s.Application, func(conn *pgx.Conn) error {
		if !sameServer {
			if err := checkNotProduction(ctx, conn, productionURL); err != nil {
				return err
			}
		}
		if err := checkVersion(conn, a); err != nil {
			return err
		}
		if err := checkExtensions(ctx, maintenance, conn, a.Extensions); err != nil {
			return err
		}
		if err := checkRights(ctx, maintenance, conn, a.Roles); err != nil {
			return err
		}
		return checkSpace(ctx, maintenance, conn, need)
	})
}

func refuse(hint, format string, args ...any) error {
	return recovery.NewFault(recovery.Permanent, fmt.Errorf("check staging: "+format, args...), hint)
}

// checkNotProduction compares what tells one running server from every other. A
// physical copy has the identifier of its original, but its own start time.
func checkNotProduction(ctx context.Context, staging *pgx.Conn, productionURL string) error {
	if productionURL == "" {
		return nil // not known here, as on a machine that only proves backups
	}
	here, err := serverIdentity(ctx, staging)
	if err != nil {
		return fmt.Errorf("check staging: %w", err)
	}
	production, err := newServer("production", productionURL)
	if err != nil {
		return err
	}
	var there string
	err = production.withConn(ctx, "lifeboat/preflight", func(conn *pgx.Conn) error {
		there, err = serverIdentity(ctx, conn)
		return err
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || here != there {
		return nil //nolint:nilerr // production may be gone: that is when backups are needed
	}
	return refuse("use another server for staging, or accept this by sameServer: accepted", "it is the production server itself")
}

func serverIdentity(ctx context.Context, conn *pgx.Conn) (string, error) {
	var identity string
	err := conn.QueryRow(ctx, "SELECT system_identifier::text || ' ' || extract(epoch FROM pg_postmaster_start_time())::text FROM pg_control_system()").Scan(&identity)
	if refused(err) != nil { // a service that lets nobody see the identifier
		err = conn.QueryRow(ctx, "SELECT extract(epoch FROM pg_postmaster_start_time())::text").Scan(&identity)
	}
	return identity, err
}

func checkVersion(staging *pgx.Conn, a recovery.Artefact) error {
	version, _, _ := strings.Cut(staging.PgConn().ParameterStatus("server_version"), " ")
	if dumped := majorOf(a.ServerVersion); majorOf(version) < dumped {
		return refuse(fmt.Sprintf("use a staging server of PostgreSQL %d, or newer", dumped),
			"its PostgreSQL %s is older than the dump's, %s", version, a.ServerVersion)
	}
	return nil
}

func checkExtensions(ctx context.Context, s *server, staging *pgx.Conn, wanted []recovery.Extension) error {
	rows, err := staging.Query(ctx, "SELECT name FROM pg_available_extensions")
	if err != nil {
		return s.fault(ctx, "check staging's extensions", err)
	}
	available, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return s.fault(ctx, "check staging's extensions", err)
	}
	var missing []string
	for _, e := range wanted {
		if !slices.Contains(available, e.Name) {
			missing = append(missing, e.Name+" "+e.Version)
		}
	}
	if len(missing) > 0 {
		return refuse("install it on the staging server", "it lacks the extension %s", strings.Join(missing, ", "))
	}
	return nil
}

func checkRights(ctx context.Context, s *server, staging *pgx.Conn, roles []string) error {
	var superuser, createDB, createRole bool
	err := staging.QueryRow(ctx, "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user").Scan(&superuser, &createDB, &createRole)
	if err != nil {
		return s.fault(ctx, "check staging's rights", err)
	}
	user := s.config.User
	if !superuser && !createDB {
		return refuse("ALTER ROLE "+identifier(user)+" CREATEDB", "user %s may not create databases", user)
	}
	missing, err := missingRoles(ctx, staging, roles)
	if err != nil {
		return s.fault(ctx, "check staging's roles", err)
	}
	if len(missing) > 0 && !superuser && !createRole {
		return refuse("ALTER ROLE "+identifier(user)+" CREATEROLE",
			"it lacks the role %s, and user %s may not create roles", strings.Join(missing, ", "), user)
	}
	return nil
}

// checkSpace compares need with the free space of the server's data folder.
func checkSpace(ctx context.Context, s *server, staging *pgx.Conn, need int64) error {
	var folder string
	err := staging.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&folder)
	if refused(err) != nil { // not ours to know
		return nil
	}
	if err != nil {
		return s.fault(ctx, "check staging's disk", err)
	}
	free, err := s.freeSpace(folder)
	if errors.Is(err, errNotHere) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check staging's disk: %w", err)
	}
	if free < need {
		return refuse("free space in "+folder, "it has %s free, the restore needs %s", inGB(free), inGB(need))
	}
	return nil
}

func inGB(bytes int64) string { return fmt.Sprintf("%.1f GB", float64(bytes)/1e9) }
