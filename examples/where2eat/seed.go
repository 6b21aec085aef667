package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"
)

// Who can log in after seeding: everyone has this password. Ada is the first user.
const (
	demoEmail    = "ada@where2eat.example"
	demoPassword = "lunch-is-served"
)

const (
	seededUsers       = 50
	seededRestaurants = 320
	seededVisits      = 9000
	seededNotes       = 2600
)

var (
	firstNames = strings.Fields("Ada Ben Cleo Dan Ella Finn Greta Hugo Ines Jon Kira Leo Mia Nils Olga Paul Rosa Sami Tara Udo Vera Will Xenia Yann Zoe")
	lastNames  = strings.Fields("Berg Costa Dahl Ekman Ferro Grau Haas Ivers Jansen Kowal")
	cuisines   = strings.Fields("Italian Thai Indian Mexican Japanese Greek Lebanese French Vietnamese Regional")
	streets    = []string{"Mill Lane", "Harbour Road", "Station Square", "Church Street", "Long Row", "Market Place", "Bridge Street", "Garden Walk"}
	places     = strings.Fields("Lantern Olive Anchor Fig Stove Courtyard Heron Saffron Basil Corner Pepper Harvest Juniper Terrace Kettle Moon")
	kinds      = strings.Fields("Kitchen Table House Bistro Garden Canteen Room Bar")
	dishes     = []string{"dumplings", "grilled fish", "flatbread", "lentil soup", "noodles", "roast peppers", "tasting menu", "Sunday lunch", "mushroom risotto", "lemon tart"}
	praise     = []string{"made up for the way", "came hot and quick", "could feed two", "beat all others this year", "needed salt", "disappointed us", "made us stay longer", "ran out by nine"}
	rooms      = []string{"a quiet cellar", "a bright corner room", "an old bakery", "a yard full of lemon trees", "a former boathouse", "the back of a bookshop"}
	remarks    = []string{"Friendly people.", "Too loud to talk.", "A table by the window is best.", "Book ahead at weekends.", "Good for groups.", "Slow on Fridays.", "The children liked it.", "We will come again."}
	seedTime   = time.Date(2026, time.November, 1, 20, 0, 0, 0, time.UTC)
)

// seed fills the databases with the same made-up data each time. What holds data
// already is left alone.
func seed(ctx context.Context, s *stores) error {
	var seeded bool
	if err := s.pg.QueryRow(ctx, "SELECT EXISTS (SELECT FROM users)").Scan(&seeded); err != nil {
		return fmt.Errorf("look for users: %w", err)
	}
	if !seeded {
		g := newGenerator()
		if err := pgx.BeginFunc(ctx, s.pg, func(tx pgx.Tx) error { return g.fill(ctx, tx) }); err != nil {
			return err
		}
	}
	return newGenerator().fillNotes(ctx, s)
}

// generator makes data up.
type generator struct{ *rand.Rand }

func newGenerator() *generator { return &generator{rand.New(rand.NewPCG(2, 26))} }

func (g *generator) one(of []string) string { return of[g.IntN(len(of))] }

func (g *generator) fill(ctx context.Context, tx pgx.Tx) error {
	tables := []struct {
		name    string
		columns string
		rows    int
		row     func(id int) ([]any, error)
	}{
		{"users", "id name email password_hash tips joined_at", seededUsers, g.user},
		{"user_prefs", "user_id cuisines max_price vegetarian latitude longitude", seededUsers, g.prefs},
		{"restaurants", "id name cuisine price street description vegetarian latitude longitude closed_at", seededRestaurants, g.restaurant},
		{"visits", "id user_id restaurant_id visited_at rating comment", seededVisits, g.visit},
	}
	for _, t := range tables {
		rows := pgx.CopyFromSlice(t.rows, func(i int) ([]any, error) { return t.row(i + 1) })
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, strings.Fields(t.columns), rows); err != nil {
			return fmt.Errorf("fill %s: %w", t.name, err)
		}
		if strings.HasPrefix(t.columns, "id ") {
			if _, err := tx.Exec(ctx, "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)", t.name, t.rows); err != nil {
				return fmt.Errorf("set sequence of %s: %w", t.name, err)
			}
		}
	}
	return nil
}

func (g *generator) user(id int) ([]any, error) {
	first, last := firstNames[(id-1)%len(firstNames)], lastNames[(id-1)%len(lastNames)]
	email := strings.ToLower(first+"."+last) + "@where2eat.example"
	if id == 1 {
		email = demoEmail
	} else if id > len(firstNames) {
		email = fmt.Sprintf("%s%d@where2eat.example", strings.ToLower(first), id)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(demoPassword), bcrypt.DefaultCost)
	return []any{id, first + " " + last, email, string(hash), id%3 != 0, seedTime.AddDate(0, 0, -900+id*7)}, err
}

func (g *generator) prefs(id int) ([]any, error) {
	liked := g.Perm(len(cuisines))[:3]
	names := []string{cuisines[liked[0]], cuisines[liked[1]], cuisines[liked[2]]}
	latitude, longitude := g.spot()
	return []any{id, names, 2 + g.IntN(3), g.IntN(5) == 0, latitude, longitude}, nil
}

func (g *generator) restaurant(id int) ([]any, error) {
	cuisine, known := g.one(cuisines), g.Perm(len(dishes))
	description := fmt.Sprintf("%s cooking in %s, known for its %s and its %s. %s", cuisine, g.one(rooms), dishes[known[0]], dishes[known[1]], g.one(remarks))
	latitude, longitude := g.spot()
	var closed any
	if g.IntN(25) == 0 {
		closed = seedTime.AddDate(0, 0, -g.IntN(300))
	}
	return []any{id, g.one(places) + " " + g.one(kinds), cuisine, 1 + g.IntN(4), fmt.Sprintf("%s %d", g.one(streets), 1+g.IntN(120)), description, g.IntN(3) > 0, latitude, longitude, closed}, nil
}

func (g *generator) visit(id int) ([]any, error) {
	restaurantID := 1 + int(float64(seededRestaurants)*g.Float64()*g.Float64()) // some are visited far more than others
	rating := min(5, max(1, 2+restaurantID%3+g.IntN(3)-g.IntN(2)))
	at := seedTime.Add(-time.Duration(seededVisits-id) * 2 * time.Hour).Add(-time.Duration(g.IntN(7200)) * time.Second)
	return []any{id, 1 + (id-1)%seededUsers, restaurantID, at, rating, g.sentence()}, nil
}

// spot is a place in the town.
func (g *generator) spot() (latitude, longitude float64) {
	return 53.55 + g.NormFloat64()*0.03, 10.0 + g.NormFloat64()*0.05
}

func (g *generator) sentence() string {
	return fmt.Sprintf("The %s %s. %s", g.one(dishes), g.one(praise), g.one(remarks))
}

func (g *generator) fillNotes(ctx context.Context, s *stores) error {
	var seeded bool
	if err := s.notes.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM notes)").Scan(&seeded); err != nil || seeded {
		return err
	}
	tx, err := s.notes.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("fill notes: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	for id := 1; id <= seededNotes; id++ {
		photo := make([]byte, 900)
		for i := range photo {
			photo[i] = byte(g.Uint32())
		}
		visitID := 1 + (id*3)%seededVisits
		_, err := tx.ExecContext(ctx, "INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?, ?)", id, 1+(visitID-1)%seededUsers, visitID,
			g.sentence()+" "+g.sentence(), "The "+g.one(dishes), photo, seedTime.Add(time.Duration(id-seededNotes)*5*time.Hour).Format(time.DateTime))
		if err != nil {
			return fmt.Errorf("fill notes: %w", err)
		}
	}
	return tx.Commit()
}
