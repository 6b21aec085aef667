package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// app answers requests.
type app struct {
	config   config
	stores   *stores
	sessions *sessions
	metrics  *metrics
	pages    pages
}

func newApp(c config, s *stores) *app {
	return &app{config: c, stores: s, sessions: &sessions{byToken: map[string]session{}}, metrics: newMetrics(), pages: parsePages()}
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.metrics.handler())
	mux.Handle("GET /static/", http.FileServerFS(static))
	for pattern, answer := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /health": a.health, "GET /ready": a.ready, "GET /version": a.version,
		"GET /{$}": a.home, "GET /login": a.loginPage, "POST /login": a.login, "GET /restaurants/{id}": a.restaurant,
		"GET /recommendations": a.signedIn(a.recommendations), "POST /visits": a.signedIn(a.addVisit),
		"GET /notes": a.signedIn(a.notes), "POST /notes": a.signedIn(a.addNote),
	} {
		mux.Handle(pattern, a.guard(answer))
	}
	return a.metrics.watch(http.NewCrossOriginProtection().Handler(mux))
}

// problem is an error with a status that the user may read.
type problem struct {
	status int
	text   string
}

func (p problem) Error() string { return p.text }

// guard turns errors into answers, and is broken on purpose if asked to be.
func (a *app) guard(answer func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := a.breakage(r)
		if err == nil {
			err = answer(w, r)
		}
		if err == nil {
			return
		}
		p := problem{http.StatusInternalServerError, "something went wrong"}
		if !errors.As(err, &p) {
			slog.Error("answer", "path", r.URL.Path, "error", err)
			if errors.Is(err, errNoData) {
				p.text = err.Error()
			}
		}
		if !wantsPage(r) {
			_ = reply(w, p.status, map[string]string{"error": p.text})
			return
		}
		if p.status == http.StatusUnauthorized && r.Method == http.MethodGet {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		_ = a.pages.show(w, p.status, "problem", a.view(r, p.text))
	})
}

// breakage is how the app is broken on purpose.
func (a *app) breakage(r *http.Request) error {
	switch path := r.URL.Path; {
	case a.config.broken == "health" && path == "/health", a.config.broken == "errors" && path == "/recommendations":
		return errors.New("broken on purpose")
	case a.config.broken == "slow" && path != "/health" && path != "/ready":
		time.Sleep(4 * time.Second)
	}
	return nil
}

type userHandler func(w http.ResponseWriter, r *http.Request, u user) error

func (a *app) signedIn(answer userHandler) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		u := a.sessions.of(r)
		if u == nil {
			return problem{http.StatusUnauthorized, "log in first"}
		}
		return answer(w, r, *u)
	}
}

func (a *app) health(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, http.StatusOK, map[string]string{"status": "alive"})
}

func (a *app) ready(w http.ResponseWriter, r *http.Request) error {
	if err := a.stores.ready(r.Context()); err != nil {
		return reply(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready", "error": err.Error()})
	}
	return reply(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (a *app) version(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, http.StatusOK, map[string]string{"release": release, "commit": commit})
}

func (a *app) home(w http.ResponseWriter, r *http.Request) error {
	best, err := a.stores.restaurants(r.Context(), "WHERE r.closed_at IS NULL ORDER BY s.rating * ln(1 + s.visits) DESC NULLS LAST, r.id LIMIT 9")
	if err != nil {
		return err
	}
	return a.pages.show(w, http.StatusOK, "home", a.view(r, best))
}

func (a *app) loginPage(w http.ResponseWriter, r *http.Request) error {
	return a.pages.show(w, http.StatusOK, "login", a.view(r, ""))
}

func (a *app) login(w http.ResponseWriter, r *http.Request) error {
	var form struct{ Email, Password string }
	sendsJSON := strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
	if !sendsJSON {
		form.Email, form.Password = r.FormValue("email"), r.FormValue("password")
	} else if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&form); err != nil {
		return problem{http.StatusBadRequest, "send {\"email\": …, \"password\": …}"}
	}
	u, err := a.stores.logIn(r.Context(), form.Email, form.Password)
	if a.config.broken == "login" && err == nil {
		err = errWrongLogin
	}
	if errors.Is(err, errWrongLogin) {
		if sendsJSON {
			return problem{http.StatusUnauthorized, err.Error()}
		}
		return a.pages.show(w, http.StatusUnauthorized, "login", a.view(r, err.Error()))
	} else if err != nil {
		return err
	}
	token := a.sessions.begin(u)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: token, Path: "/", MaxAge: int(sessionLasts.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode})
	if sendsJSON {
		return reply(w, http.StatusOK, map[string]any{"token": token, "user": u})
	}
	http.Redirect(w, r, "/recommendations", http.StatusSeeOther)
	return nil
}

func (a *app) recommendations(w http.ResponseWriter, r *http.Request, u user) error {
	ranksNewly := a.config.ranksNewly()
	if ranksNewly && a.config.broken == "ranking" {
		return errors.New("the new ranking is broken on purpose")
	}
	picks, err := a.stores.recommend(r.Context(), u.ID, ranksNewly)
	if err != nil {
		return err
	}
	ranking := "classic"
	if ranksNewly {
		ranking = "new"
	}
	if !wantsPage(r) {
		return reply(w, http.StatusOK, map[string]any{"ranking": ranking, "recommendations": picks})
	}
	return a.pages.show(w, http.StatusOK, "recommendations", a.view(r, map[string]any{"Picks": picks, "Ranking": ranking}))
}

func (a *app) restaurant(w http.ResponseWriter, r *http.Request) error {
	id, _ := strconv.Atoi(r.PathValue("id"))
	found, err := a.stores.restaurants(r.Context(), "WHERE r.id = $1", id)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return problem{http.StatusNotFound, "there is no such restaurant"}
	}
	visits, err := a.stores.visits(r.Context(), "v.restaurant_id = $1", id)
	if err != nil {
		return err
	}
	if !wantsPage(r) {
		return reply(w, http.StatusOK, map[string]any{"restaurant": found[0], "visits": visits})
	}
	return a.pages.show(w, http.StatusOK, "restaurant", a.view(r, map[string]any{"Restaurant": found[0], "Visits": visits}))
}

func (a *app) addVisit(w http.ResponseWriter, r *http.Request, u user) error {
	restaurantID, _ := strconv.Atoi(r.FormValue("restaurant"))
	rating, _ := strconv.Atoi(r.FormValue("rating"))
	comment := strings.TrimSpace(r.FormValue("comment"))
	if rating < 1 || rating > 5 || len(comment) > 2000 {
		return problem{http.StatusBadRequest, "give 1 to 5 stars, and a comment of at most 2000 letters"}
	}
	var id int
	err := a.stores.pg.QueryRow(r.Context(), `INSERT INTO visits (user_id, restaurant_id, rating, comment)
		SELECT $1, id, $3, $4 FROM restaurants WHERE id = $2 RETURNING id`, u.ID, restaurantID, rating, comment).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return problem{http.StatusNotFound, "there is no such restaurant"}
	} else if err != nil {
		return fmt.Errorf("write visit: %w", err)
	}
	if !wantsPage(r) {
		return reply(w, http.StatusCreated, map[string]int{"id": id})
	}
	http.Redirect(w, r, fmt.Sprintf("/restaurants/%d", restaurantID), http.StatusSeeOther)
	return nil
}

func (a *app) notes(w http.ResponseWriter, r *http.Request, u user) error {
	notes, err := a.stores.notesOf(r.Context(), u.ID)
	if err != nil {
		return err
	}
	if !wantsPage(r) {
		return reply(w, http.StatusOK, map[string]any{"notes": notes})
	}
	visits, err := a.stores.visits(r.Context(), "v.user_id = $1", u.ID)
	if err != nil {
		return err
	}
	return a.pages.show(w, http.StatusOK, "notes", a.view(r, map[string]any{"Notes": notes, "Visits": visits}))
}

func (a *app) addNote(w http.ResponseWriter, r *http.Request, u user) error {
	visitID, _ := strconv.Atoi(r.FormValue("visit"))
	text := strings.TrimSpace(r.FormValue("text"))
	if text == "" || len(text) > 2000 {
		return problem{http.StatusBadRequest, "write a note of 1 to 2000 letters"}
	}
	var own bool
	if err := a.stores.pg.QueryRow(r.Context(), "SELECT EXISTS (SELECT FROM visits WHERE id = $1 AND user_id = $2)", visitID, u.ID).Scan(&own); err != nil {
		return fmt.Errorf("read visit: %w", err)
	} else if !own {
		return problem{http.StatusNotFound, "that is no visit of yours"}
	}
	if _, err := a.stores.notes.ExecContext(r.Context(), "INSERT INTO notes (user_id, visit_id, text, caption) VALUES (?, ?, ?, ?)", u.ID, visitID, text, r.FormValue("caption")); err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	if !wantsPage(r) {
		return reply(w, http.StatusCreated, map[string]string{"status": "kept"})
	}
	http.Redirect(w, r, "/notes", http.StatusSeeOther)
	return nil
}

// wantsPage tells a browser from a program.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func reply(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(value)
}
