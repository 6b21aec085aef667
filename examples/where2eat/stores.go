package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schema string

//go:embed notes.sql
var notesSchema string

// stores are the two databases.
type stores struct {
	pg    *pgxpool.Pool
	notes *sql.DB
}

// openStores opens the databases without asking them anything yet: a database
// that is down must not keep the service from starting. The file for notes is
// created only if asked for.
func openStores(ctx context.Context, c config, create bool) (*stores, error) {
	pg, err := pgxpool.New(ctx, c.databaseURL)
	if err != nil {
		return nil, errors.New("open database: WHERE2EAT_DATABASE_URL is not a PostgreSQL URL")
	}
	mode := "rw"
	if create {
		mode = "rwc"
	}
	address := url.URL{Scheme: "file", OmitHost: true, Path: c.notesPath, RawQuery: "_busy_timeout=5000&_journal_mode=wal&mode=" + mode}
	notes, err := sql.Open("sqlite", address.String())
	if err != nil {
		pg.Close()
		return nil, fmt.Errorf("open notes: %w", err)
	}
	return &stores{pg: pg, notes: notes}, nil
}

func (s *stores) close() {
	s.pg.Close()
	_ = s.notes.Close()
}

func (s *stores) migrate(ctx context.Context) error {
	if _, err := s.pg.Exec(ctx, schema); err != nil {
		return fmt.Errorf("tables: %w", err)
	}
	if _, err := s.notes.ExecContext(ctx, notesSchema); err != nil {
		return fmt.Errorf("notes: %w", err)
	}
	return nil
}

// ready checks that both databases answer and hold something in every table.
func (s *stores) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, table := range []string{"users", "user_prefs", "restaurants", "visits"} {
		var filled bool
		if err := s.pg.QueryRow(ctx, "SELECT EXISTS (SELECT FROM "+table+")").Scan(&filled); err != nil {
			return fmt.Errorf("table %s does not answer", table)
		} else if !filled {
			return fmt.Errorf("table %s is empty", table)
		}
	}
	var filled bool
	if err := s.notes.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM notes)").Scan(&filled); err != nil {
		return errors.New("the notes do not answer")
	} else if !filled {
		return errors.New("there are no notes")
	}
	return nil
}

// user is who is logged in.
type user struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// restaurant is one restaurant with its average rating.
type restaurant struct {
	ID          int     `json:"id"`
	Name        string  `json:"name"`
	Cuisine     string  `json:"cuisine"`
	Price       int     `json:"price"`
	Street      string  `json:"street"`
	Description string  `json:"description"`
	Vegetarian  bool    `json:"vegetarian"`
	Rating      float64 `json:"rating"`
	Visits      int     `json:"visits"`
	Latitude    float64 `json:"-"`
	Longitude   float64 `json:"-"`
}

const selectRestaurants = `SELECT r.id, r.name, r.cuisine, r.price, r.street, r.description, r.vegetarian,
	coalesce(s.rating, 0), coalesce(s.visits, 0), r.latitude, r.longitude
	FROM restaurants r LEFT JOIN restaurant_ratings s ON s.restaurant_id = r.id `

// restaurants reads the restaurants that a condition picks.
func (s *stores) restaurants(ctx context.Context, condition string, args ...any) ([]restaurant, error) {
	rows, err := s.pg.Query(ctx, selectRestaurants+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("read restaurants: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[restaurant])
	if err != nil {
		return nil, fmt.Errorf("read restaurants: %w", err)
	}
	return found, nil
}

// visit is one visit, as others see it.
type visit struct {
	ID        int       `json:"id"`
	Who       string    `json:"who"`
	Where     string    `json:"where"`
	VisitedAt time.Time `json:"visitedAt"`
	Rating    int       `json:"rating"`
	Comment   string    `json:"comment"`
}

// visits reads the newest visits that a condition picks.
func (s *stores) visits(ctx context.Context, condition string, args ...any) ([]visit, error) {
	rows, err := s.pg.Query(ctx, `SELECT v.id, split_part(u.name, ' ', 1), r.name, v.visited_at, v.rating, v.comment
		FROM visits v JOIN users u ON u.id = v.user_id JOIN restaurants r ON r.id = v.restaurant_id
		WHERE `+condition+` ORDER BY v.visited_at DESC, v.id DESC LIMIT 12`, args...)
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[visit])
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	return found, nil
}

// note is a private note on a visit.
type note struct {
	ID      int    `json:"id"`
	VisitID int    `json:"visitId"`
	Text    string `json:"text"`
	Caption string `json:"caption"`
	MadeAt  string `json:"madeAt"`
}

// notesOf reads a user's newest notes.
func (s *stores) notesOf(ctx context.Context, userID int) ([]note, error) {
	rows, err := s.notes.QueryContext(ctx, "SELECT id, visit_id, text, caption, date(made_at) FROM notes WHERE user_id = ? ORDER BY id DESC LIMIT 30", userID)
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	defer func() { _ = rows.Close() }()
	notes := []note{}
	for rows.Next() {
		var n note
		if err := rows.Scan(&n.ID, &n.VisitID, &n.Text, &n.Caption, &n.MadeAt); err != nil {
			return nil, fmt.Errorf("read notes: %w", err)
		}
		notes = append(notes, n)
	}
	return notes, rows.Err()
}
