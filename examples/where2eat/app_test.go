package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/lifeboat-run/lifeboat/internal/devserver"
)

// fixture hands out fresh copies of seeded databases.
type fixture struct {
	pg    *devserver.Postgres
	notes []byte
	made  int
}

const seededDatabase = "where2eat_seeded"

// TestApp runs the app on a real PostgreSQL server.
func TestApp(t *testing.T) {
	f := &fixture{pg: devserver.StartPostgres(t)}
	f.pg.Exec(t, "postgres", "CREATE DATABASE "+seededDatabase)
	notes := filepath.Join(t.TempDir(), "notes.db")
	env := environment(f.pg.URL(seededDatabase), notes)
	require.NoError(t, run(t.Context(), []string{"-migrate", "-seed"}, env))
	before := countAll(t, env)
	require.NoError(t, run(t.Context(), []string{"-migrate", "-seed"}, env), "a second time")
	require.Equal(t, before, countAll(t, env))
	require.Equal(t, map[string]int{"users": 50, "user_prefs": 50, "restaurants": 320, "visits": 9000, "notes": 2600}, before)
	var err error
	f.notes, err = os.ReadFile(notes)
	require.NoError(t, err)

	for name, test := range map[string]func(*testing.T, *fixture){
		"journey in JSON": testJourneyJSON, "journey of pages": testJourneyPages, "refusals": testRefusals, "visits and notes": testVisitsAndNotes,
		"feature flag": testFlag, "flag turned by its script": testFlagScript, "integration tests": testIntegration, "ready": testReady, "missing data": testMissingData, "breaks": testBreaks, "mail": testMail, "metrics": testMetrics,
		"stop": testStop,
	} {
		t.Run(name, func(t *testing.T) { test(t, f) })
	}
}

func environment(database, notes string, more ...string) func(string) string {
	values := map[string]string{"WHERE2EAT_DATABASE_URL": database, "WHERE2EAT_NOTES_PATH": notes}
	for i := 0; i < len(more); i += 2 {
		values[more[i]] = more[i+1]
	}
	return func(name string) string { return values[name] }
}

func countAll(t *testing.T, env func(string) string) map[string]int {
	t.Helper()
	c, err := readConfig(env)
	require.NoError(t, err)
	s, err := openStores(t.Context(), c, false)
	require.NoError(t, err)
	defer s.close()
	counts := map[string]int{}
	for _, table := range []string{"users", "user_prefs", "restaurants", "visits"} {
		var n int
		require.NoError(t, s.pg.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
		counts[table] = n
	}
	var n int
	require.NoError(t, s.notes.QueryRowContext(t.Context(), "SELECT count(*) FROM notes").Scan(&n))
	counts["notes"] = n
	return counts
}

// browser is one user of one running app.
type browser struct {
	t       *testing.T
	app     *app
	address string
	client  *http.Client
	accept  string
	token   string
}

// open starts the app on databases of its own.
func (f *fixture) open(t *testing.T, env ...string) *browser {
	t.Helper()
	f.made++
	database := fmt.Sprintf("where2eat_%d", f.made)
	f.pg.Exec(t, "postgres", "CREATE DATABASE "+database+" TEMPLATE "+seededDatabase)
	notes := filepath.Join(t.TempDir(), "notes ?.db")
	require.NoError(t, os.WriteFile(notes, f.notes, 0o600))
	c, err := readConfig(environment(f.pg.URL(database), notes, env...))
	require.NoError(t, err)
	s, err := openStores(t.Context(), c, false)
	require.NoError(t, err)
	t.Cleanup(s.close)
	a := newApp(c, s)
	server := httptest.NewServer(a.handler())
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{t: t, app: a, address: server.URL, client: &http.Client{Jar: jar}}
}

func (b *browser) do(method, path, contentType, body string) (int, string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.address+path, strings.NewReader(body))
	require.NoError(b.t, err)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if b.accept != "" {
		request.Header.Set("Accept", b.accept)
	}
	if b.token != "" {
		request.Header.Set("Authorization", "Bearer "+b.token)
	}
	response, err := b.client.Do(request)
	require.NoError(b.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	require.NoError(b.t, response.Body.Close())
	return response.StatusCode, string(text)
}

func (b *browser) get(path string) (int, string) {
	b.t.Helper()
	return b.do(http.MethodGet, path, "", "")
}

func (b *browser) post(path string, form ...string) (int, string) {
	b.t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Set(form[i], form[i+1])
	}
	return b.do(http.MethodPost, path, "application/x-www-form-urlencoded", values.Encode())
}

func (b *browser) logIn() {
	b.t.Helper()
	status, text := b.do(http.MethodPost, "/login", "application/json", fmt.Sprintf(`{"email":%q,"password":%q}`, demoEmail, demoPassword))
	require.Equal(b.t, http.StatusOK, status, text)
}

func testJourneyJSON(t *testing.T, f *fixture) {
	b := f.open(t)
	status, text := b.do(http.MethodPost, "/login", "application/json", fmt.Sprintf(`{"email":%q,"password":%q}`, strings.ToUpper(demoEmail), demoPassword))
	require.Equal(t, http.StatusOK, status, text)
	var login struct {
		Token string
		User  user
	}
	require.NoError(t, json.Unmarshal([]byte(text), &login))
	require.Equal(t, "Ada Berg", login.User.Name)

	b.client.Jar, b.token = nil, login.Token // by token alone
	status, text = b.get("/recommendations")
	require.Equal(t, http.StatusOK, status, text)
	var answer struct {
		Ranking         string
		Recommendations []pick
	}
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	require.Equal(t, "classic", answer.Ranking)
	require.Len(t, answer.Recommendations, 10)
	for i, p := range answer.Recommendations[1:] {
		require.LessOrEqual(t, p.Score, answer.Recommendations[i].Score)
	}
	status, text = b.get(fmt.Sprintf("/restaurants/%d", answer.Recommendations[0].ID))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, answer.Recommendations[0].Name)
}

func testJourneyPages(t *testing.T, f *fixture) {
	b := f.open(t)
	b.accept = "text/html"
	_, text := b.get("/")
	require.Contains(t, text, "Where do we eat tonight?")
	require.NotContains(t, text, "drill")
	_, text = b.get("/recommendations")
	require.Contains(t, text, "<h1>Log in</h1>", "is led to the login")
	status, text := b.post("/login", "email", demoEmail, "password", demoPassword)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "For you, Ada Berg")
	require.Contains(t, text, "you like ")
	require.Equal(t, 10, strings.Count(text, `<li class="card">`))
	status, text = b.get("/restaurants/1")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "I was here")
	_, text = b.get("/static/style.css")
	require.Contains(t, text, ".card")
}

func testRefusals(t *testing.T, f *fixture) {
	b := f.open(t)
	for _, c := range []struct {
		path, kind, body, want string
		status                 int
	}{
		{"/login", "application/json", `{"email":"ada@where2eat.example","password":"wrong"}`, "wrong e-mail or password", 401},
		{"/login", "application/json", `{"email":"nobody@where2eat.example","password":"` + demoPassword + `"}`, "wrong e-mail or password", 401},
		{"/login", "application/json", `[`, "send {", 400},
		{"/login", "application/x-www-form-urlencoded", "email=x&password=y", "wrong e-mail or password", 401},
		{"/visits", "application/x-www-form-urlencoded", "restaurant=1&rating=5", "log in first", 401},
		{"/notes", "application/x-www-form-urlencoded", "visit=1&text=x", "log in first", 401},
	} {
		status, text := b.do(http.MethodPost, c.path, c.kind, c.body)
		require.Equal(t, c.status, status, c.body)
		require.Contains(t, text, c.want)
	}
	status, text := b.get("/restaurants/99999")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, text, "there is no such restaurant")
	cost, err := bcrypt.Cost([]byte(noHash))
	require.NoError(t, err)
	require.Equal(t, bcrypt.DefaultCost, cost)
}

func testVisitsAndNotes(t *testing.T, f *fixture) {
	b := f.open(t)
	b.logIn()
	status, text := b.post("/visits", "restaurant", "7", "rating", "4", "comment", "Lovely <b>soup</b>")
	require.Equal(t, http.StatusCreated, status, text)
	var made struct{ ID int }
	require.NoError(t, json.Unmarshal([]byte(text), &made))
	require.Equal(t, seededVisits+1, made.ID)
	b.accept = "text/html"
	_, text = b.get("/restaurants/7")
	require.Contains(t, text, "Lovely &lt;b&gt;soup&lt;/b&gt;")
	b.accept = ""
	status, _ = b.post("/visits", "restaurant", "7", "rating", "6")
	require.Equal(t, http.StatusBadRequest, status)
	status, _ = b.post("/visits", "restaurant", "999", "rating", "5")
	require.Equal(t, http.StatusNotFound, status)

	status, text = b.post("/notes", "visit", fmt.Sprint(made.ID), "text", "ask for the corner table")
	require.Equal(t, http.StatusCreated, status, text)
	status, text = b.post("/notes", "visit", "2", "text", "mine?")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, text, "that is no visit of yours")
	_, text = b.get("/notes")
	require.Contains(t, text, "ask for the corner table")
	b.accept = "text/html"
	_, text = b.get("/notes")
	require.Contains(t, text, "Only you can read them.")
}

func testFlag(t *testing.T, f *fixture) {
	file := filepath.Join(t.TempDir(), "new-ranking")
	b := f.open(t, "WHERE2EAT_FLAG_NEW_RANKING", "on", "WHERE2EAT_FLAG_FILE", file)
	b.logIn()
	_, text := b.get("/recommendations")
	require.Contains(t, text, `"ranking":"new"`)
	require.Contains(t, text, "people of your taste")
	require.NoError(t, os.WriteFile(file, []byte("off\n"), 0o600))
	_, text = b.get("/recommendations")
	require.Contains(t, text, `"ranking":"classic"`)
	require.NotContains(t, text, "people of your taste")
}

func testReady(t *testing.T, f *fixture) {
	b := f.open(t)
	status, text := b.get("/ready")
	require.Equal(t, http.StatusOK, status, text)
	change := func(statement string) {
		_, err := b.app.stores.pg.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	for statement, want := range map[string]string{
		"TRUNCATE visits": "table visits is empty", "DROP TABLE user_prefs": "table user_prefs does not answer",
	} {
		fresh := f.open(t)
		b = fresh
		change(statement)
		status, text = b.get("/ready")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, text, want)
		status, _ = b.get("/health")
		require.Equal(t, http.StatusOK, status)
	}
	b = f.open(t)
	_, err := b.app.stores.notes.ExecContext(t.Context(), "DROP TABLE notes")
	require.NoError(t, err)
	_, text = b.get("/ready")
	require.Contains(t, text, "the notes do not answer")
}

func testMissingData(t *testing.T, f *fixture) {
	for statement, want := range map[string]string{
		"DELETE FROM user_prefs":                   "the user has no preferences",
		"DELETE FROM visits":                       "the user has no visits",
		"UPDATE restaurants SET closed_at = now()": "no restaurant is open",
		"DROP TABLE visits CASCADE":                "something went wrong",
	} {
		b := f.open(t)
		b.logIn()
		_, err := b.app.stores.pg.Exec(t.Context(), statement)
		require.NoError(t, err)
		status, text := b.get("/recommendations")
		require.Equal(t, http.StatusInternalServerError, status, statement)
		require.Contains(t, text, want)
	}
	missing := filepath.Join(t.TempDir(), "notes.db")
	s, err := openStores(t.Context(), config{databaseURL: f.pg.URL(seededDatabase), notesPath: missing}, false)
	require.NoError(t, err)
	defer s.close()
	require.ErrorContains(t, s.ready(t.Context()), "the notes do not answer")
	require.NoFileExists(t, missing)
}

func testBreaks(t *testing.T, f *fixture) {
	b := f.open(t, "WHERE2EAT_BREAK", "health")
	status, _ := b.get("/health")
	require.Equal(t, http.StatusInternalServerError, status)
	b = f.open(t, "WHERE2EAT_BREAK", "errors")
	b.logIn()
	status, _ = b.get("/recommendations")
	require.Equal(t, http.StatusInternalServerError, status)
	b = f.open(t, "WHERE2EAT_BREAK", "login")
	status, _ = b.post("/login", "email", demoEmail, "password", demoPassword)
	require.Equal(t, http.StatusUnauthorized, status)
	file := filepath.Join(t.TempDir(), "flag")
	require.NoError(t, os.WriteFile(file, []byte("on"), 0o600))
	b = f.open(t, "WHERE2EAT_BREAK", "ranking", "WHERE2EAT_FLAG_FILE", file)
	b.logIn()
	status, _ = b.get("/recommendations")
	require.Equal(t, http.StatusInternalServerError, status)
	require.NoError(t, os.WriteFile(file, []byte("off"), 0o600))
	status, _ = b.get("/recommendations")
	require.Equal(t, http.StatusOK, status, "turning the flag off mends it")
	_, err := readConfig(environment("x", "y", "WHERE2EAT_BREAK", "heath"))
	require.EqualError(t, err, `unknown break "heath": use one of health, slow, errors, login, ranking`)
}

func testMail(t *testing.T, f *fixture) {
	outbox := t.TempDir()
	b := f.open(t, "WHERE2EAT_OUTBOX", outbox)
	m := &mailer{app: b.app}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	sent, err := m.send(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, 34, sent)
	sent, err = m.send(t.Context(), now.Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, sent, "one tip a week")
	mail, err := os.ReadFile(filepath.Join(outbox, "2026-W48-1.eml"))
	require.NoError(t, err)
	require.Contains(t, string(mail), "To: "+demoEmail)

	drillOutbox := t.TempDir()
	b = f.open(t, "WHERE2EAT_OUTBOX", drillOutbox, "LIFEBOAT_DRILL", "1")
	(&mailer{app: b.app}).run(t.Context()) // returns at once
	entries, err := os.ReadDir(drillOutbox)
	require.NoError(t, err)
	require.Empty(t, entries)
	b.accept = "text/html"
	_, text := b.get("/")
	require.Contains(t, text, "Drill: this is a copy of restored data.")
}

func testMetrics(t *testing.T, f *fixture) {
	b := f.open(t, "WHERE2EAT_BREAK", "errors")
	b.logIn()
	b.get("/recommendations")
	b.get("/nowhere")
	_, text := b.get("/metrics")
	for _, want := range []string{
		`where2eat_requests_total{code="200",route="POST /login"} 1`,
		`where2eat_requests_total{code="404",route="other"} 1`,
		`where2eat_errors_total{route="GET /recommendations"} 1`,
		`where2eat_request_seconds_count{route="GET /recommendations"} 1`,
		`where2eat_build_info{commit="unknown",release="development"} 1`,
	} {
		require.Contains(t, text, want)
	}
	_, text = b.get("/version")
	require.JSONEq(t, `{"release":"development","commit":"unknown"}`, text)
}

func testStop(t *testing.T, f *fixture) {
	b := f.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.app.config.listen = "127.0.0.1:0"
	ended := make(chan error)
	go func() { ended <- serve(ctx, b.app.config, b.app.stores) }()
	cancel()
	require.NoError(t, <-ended)
	b.app.config.listen = strings.TrimPrefix(b.address, "http://")
	require.ErrorContains(t, serve(t.Context(), b.app.config, b.app.stores), "address already in use")
}

func TestConfigNamesWhatIsMissing(t *testing.T) {
	_, err := readConfig(func(string) string { return "" })
	require.ErrorContains(t, err, "WHERE2EAT_DATABASE_URL is not set")
	require.ErrorContains(t, err, "WHERE2EAT_NOTES_PATH is not set")
	err = run(t.Context(), nil, environment("postgres://user:secret@[/", "/tmp/x"))
	require.ErrorContains(t, err, "WHERE2EAT_DATABASE_URL is not a PostgreSQL URL")
	require.False(t, bytes.Contains([]byte(err.Error()), []byte("secret")))
}
