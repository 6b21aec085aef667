package probe_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/probe"
	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

const token = `t0k"en/& ü`

// shop is a small service with a login, by cookie and by token.
func shop(t *testing.T) http.HandlerFunc {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		var form struct{ User, Password string }
		if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&form) != nil || form.Password != "right" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "wrong password")
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "abc", Path: "/"})
		writeJSON(w, map[string]any{"token": token, "user": map[string]any{"id": 12, "admin": false}, "cards": []any{map[string]any{"no": "4711"}}})
	})
	mux.HandleFunc("GET /mine", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("session")
		if err != nil || cookie.Value != "abc" || r.Header.Get("X-User") != "12 false 4711" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, "my things")
	})
	mux.HandleFunc("POST /echo/{part}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		writeJSON(w, map[string]any{"path": r.PathValue("part"), "query": r.URL.Query().Get("q"), "body": string(body)})
	})
	mux.HandleFunc("GET /old", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/new", http.StatusSeeOther) })
	mux.HandleFunc("GET /new", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "moved here") })
	mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://example.invalid/?token=hush", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusSeeOther) })
	mux.HandleFunc("GET /hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET /huge", func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			fmt.Fprint(w, strings.Repeat("x", 1<<16))
		}
		fmt.Fprint(w, "the end")
	})
	mux.HandleFunc("GET /mirror", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "you sent ", r.Header.Get("Authorization"))
	})
	return mux.ServeHTTP
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

var login = recovery.JourneyStep{
	Name: "log in", Method: "POST", Path: "/login", Body: `{"user":"ann","password":"right"}`,
	Expect: []string{`"token"`},
	Save:   map[string]string{"token": "token", "id": "user.id", "admin": "user.admin", "card": "cards.0.no"},
}

func TestJourneyCarriesCookiesAndSavedValues(t *testing.T) {
	server := serve(t, shop(t))
	steps := (&probe.Prober{}).Journey(t.Context(), server.URL+"/", []recovery.JourneyStep{
		login,
		{Name: "fetch", Path: "/mine", Headers: map[string]string{"X-User": "{saved.id} {saved.admin} {saved.card}"}, Expect: []string{"my things"}},
		{
			Name: "echo", Method: "POST", Path: "/echo/{saved.token}?q={saved.token}", Body: `{"token":"{saved.token}","id":{saved.id}}`,
			Expect: []string{`"id\":12`},
		},
		{Name: "follow", Path: "/old", Expect: []string{"moved here"}},
		{Name: "do not follow", Path: "/old", Status: http.StatusSeeOther},
	})
	require.Len(t, steps, 5)
	for _, step := range steps {
		require.True(t, step.OK, step.Error)
		require.Empty(t, step.Error)
	}
	require.Equal(t, "log in", steps[0].Name)
}

func TestJourneyEscapesSavedValues(t *testing.T) {
	var got []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			writeJSON(w, map[string]any{"token": token})
			return
		}
		var body struct{ Token string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		got = []string{r.URL.Path, r.URL.Query().Get("q"), body.Token}
	})
	steps := (&probe.Prober{}).Journey(t.Context(), server.URL, []recovery.JourneyStep{
		{Name: "token", Path: "/token", Save: map[string]string{"token": "token"}},
		{Name: "use", Method: "PUT", Path: "/at/{saved.token}?q={saved.token}", Body: `{"token":"{saved.token}"}`},
	})
	require.True(t, steps[1].OK, steps[1].Error)
	require.Equal(t, []string{"/at/" + token, token, token}, got)
}

func TestJourneyStopsAtTheFirstFailure(t *testing.T) {
	cases := map[string]struct {
		step recovery.JourneyStep
		want string
	}{
		"status":         {recovery.JourneyStep{Method: "POST", Path: "/login", Body: `{"password":"wrong-one"}`}, `POST /login: want status 200, got 403`},
		"contains":       {recovery.JourneyStep{Path: "/new", Expect: []string{"moved", "there"}}, `GET /new: want an answer that contains "there", got one of 10 bytes that does not`},
		"no JSON":        {recovery.JourneyStep{Path: "/new", Save: map[string]string{"a": "b"}}, `GET /new: save a: want an answer in JSON`},
		"nothing there":  {recovery.JourneyStep{Method: "POST", Path: "/echo/x", Save: map[string]string{"a": "path.deep"}}, `save a: want a text, number or truth value at "path.deep"`},
		"not saved":      {recovery.JourneyStep{Path: "/{saved.missing}"}, `read step: it uses {saved.missing}, which no earlier step saved`},
		"path":           {recovery.JourneyStep{Path: "http://elsewhere/"}, `read path "http://elsewhere/": it must begin with a slash`},
		"method":         {recovery.JourneyStep{Method: "NO WAY", Path: "/"}, `make request NO WAY /: net/http: invalid method`},
		"another host":   {recovery.JourneyStep{Path: "/away"}, `GET /away: it redirects to another host, example.invalid`},
		"redirect loop":  {recovery.JourneyStep{Path: "/loop"}, `GET /loop: it redirects more than 10 times`},
		"too slow":       {recovery.JourneyStep{Path: "/hang", Timeout: recovery.Duration(20 * time.Millisecond)}, `GET /hang: no answer within 20ms`},
		"beyond a MiB":   {recovery.JourneyStep{Path: "/huge", Expect: []string{"the end"}}, `want an answer that contains "the end", got one of 1048576 bytes that does not`},
		"header's value": {recovery.JourneyStep{Path: "/mirror", Headers: map[string]string{"Authorization": "Bearer 123456"}}, `GET /mirror: want status 200, got 418`},
		"bad header":     {recovery.JourneyStep{Path: "/mirror", Headers: map[string]string{"X-Secret": "12\n3456"}}, `GET /mirror: net/http: invalid header field value for "X-Secret"`},
	}
	server := serve(t, shop(t))
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.step.Name = "try"
			steps := (&probe.Prober{}).Journey(t.Context(), server.URL, []recovery.JourneyStep{
				{Name: "first", Path: "/new"}, c.step, {Name: "never", Path: "/new"},
			})
			require.Len(t, steps, 2)
			require.True(t, steps[0].OK, steps[0].Error)
			require.False(t, steps[1].OK)
			require.True(t, strings.HasPrefix(steps[1].Error, "try: "), steps[1].Error)
			require.Contains(t, steps[1].Error, c.want)
		})
	}
}

func TestJourneyHidesWhatWasSaved(t *testing.T) {
	server := serve(t, shop(t))
	steps := (&probe.Prober{}).Journey(t.Context(), server.URL, []recovery.JourneyStep{
		login,
		{Name: "mirror", Path: "/mirror?t={saved.token}", Headers: map[string]string{"Authorization": "{saved.token}"}},
	})
	require.False(t, steps[1].OK)
	require.Contains(t, steps[1].Error, "GET /mirror?t={saved.token}: ")
	require.NotContains(t, steps[1].Error, "t0k")
}

func TestJourneyOfNoStepsAndOfADeadService(t *testing.T) {
	server := serve(t, shop(t))
	require.Empty(t, (&probe.Prober{}).Journey(t.Context(), server.URL, nil))
	server.Close()
	steps := (&probe.Prober{}).Journey(t.Context(), server.URL, []recovery.JourneyStep{login})
	require.Len(t, steps, 1)
	require.Contains(t, steps[0].Error, "log in: POST /login: ")
	require.Contains(t, steps[0].Error, "connection refused")
}
