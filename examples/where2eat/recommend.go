package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// pick is a recommended restaurant and the reason.
type pick struct {
	restaurant
	Km    float64 `json:"km"`
	Score float64 `json:"score"`
	Why   string  `json:"why"`
}

// taste is what is known about a user.
type taste struct {
	cuisines            []string
	maxPrice            int
	vegetarian          bool
	latitude, longitude float64
	lastVisit           map[int]time.Time // by restaurant
	peers               map[int]float64   // rating by people of like taste; only for the new ranking
}

var errNoData = errors.New("there is nothing to recommend from")

// recommend picks the ten best restaurants for a user. Without preferences,
// restaurants or visits it fails instead of showing an empty page.
func (s *stores) recommend(ctx context.Context, userID int, ranksNewly bool) ([]pick, error) {
	t, err := s.tasteOf(ctx, userID, ranksNewly)
	if err != nil {
		return nil, err
	}
	open, err := s.restaurants(ctx, "WHERE r.closed_at IS NULL AND r.price <= $1 AND (r.vegetarian OR NOT $2)", t.maxPrice, t.vegetarian)
	if err != nil {
		return nil, err
	}
	if len(open) == 0 {
		return nil, fmt.Errorf("%w: no restaurant is open", errNoData)
	}
	var picks []pick
	for _, r := range open {
		picks = append(picks, t.judge(r))
	}
	slices.SortFunc(picks, func(a, b pick) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID)) })
	return picks[:min(10, len(picks))], nil
}

func (s *stores) tasteOf(ctx context.Context, userID int, withPeers bool) (*taste, error) {
	t := &taste{lastVisit: map[int]time.Time{}, peers: map[int]float64{}}
	err := s.pg.QueryRow(ctx, "SELECT cuisines, max_price, vegetarian, latitude, longitude FROM user_prefs WHERE user_id = $1", userID).
		Scan(&t.cuisines, &t.maxPrice, &t.vegetarian, &t.latitude, &t.longitude)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("%w: the user has no preferences", errNoData)
	} else if err != nil {
		return nil, fmt.Errorf("read preferences: %w", err)
	}
	var id int
	var last time.Time
	rows, err := s.pg.Query(ctx, "SELECT restaurant_id, max(visited_at) FROM visits WHERE user_id = $1 GROUP BY 1", userID)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&id, &last}, func() error { t.lastVisit[id] = last; return nil })
	}
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	if len(t.lastVisit) == 0 {
		return nil, fmt.Errorf("%w: the user has no visits", errNoData)
	}
	if !withPeers {
		return t, nil
	}
	var rating float64
	rows, err = s.pg.Query(ctx, `WITH peers AS (
			SELECT other.user_id FROM visits mine JOIN visits other USING (restaurant_id)
			WHERE mine.user_id = $1 AND other.user_id <> $1 AND mine.rating >= 4 AND other.rating >= 4
			GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 8)
		SELECT restaurant_id, avg(rating)::float8 FROM visits JOIN peers USING (user_id) GROUP BY 1`, userID)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&id, &rating}, func() error { t.peers[id] = rating; return nil })
	}
	if err != nil {
		return nil, fmt.Errorf("read peers: %w", err)
	}
	return t, nil
}

// judge scores a restaurant: its rating, drawn towards the middle while it has few
// visits, plus what speaks for it, minus the way and a visit not long ago.
func (t *taste) judge(r restaurant) pick {
	p := pick{restaurant: r, Km: distance(t.latitude, t.longitude, r.Latitude, r.Longitude), Why: "well rated"}
	p.Score = (r.Rating*float64(r.Visits) + 3*5) / float64(r.Visits+5)
	if slices.Contains(t.cuisines, r.Cuisine) {
		p.Score++
		p.Why = "you like " + r.Cuisine
	}
	if rating, ok := t.peers[r.ID]; ok {
		p.Score += (rating - 3) / 2
		if rating >= 4 {
			p.Why += ", and so do people of your taste"
		}
	}
	p.Score -= p.Km / 5
	if last, ok := t.lastVisit[r.ID]; ok {
		if time.Since(last) < 60*24*time.Hour {
			p.Score--
		}
		p.Why += "; you were there in " + last.Format("January")
	}
	p.Km, p.Score = math.Round(p.Km*10)/10, math.Round(p.Score*100)/100
	return p
}

// distance is in kilometres, on a plane: good enough inside a town.
func distance(latitude1, longitude1, latitude2, longitude2 float64) float64 {
	const kmPerDegree = 111.2
	dx := (longitude2 - longitude1) * math.Cos(latitude1*math.Pi/180)
	return kmPerDegree * math.Hypot(dx, latitude2-latitude1)
}
