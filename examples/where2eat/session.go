package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"
)

const (
	sessionCookie = "where2eat"
	sessionLasts  = 12 * time.Hour
)

// sessions remembers who is logged in, until the program ends.
type sessions struct {
	mu      sync.Mutex
	byToken map[string]session
}

type session struct {
	user  user
	until time.Time
}

func (s *sessions) begin(u user) (token string) {
	token = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, one := range s.byToken {
		if time.Now().After(one.until) {
			delete(s.byToken, old)
		}
	}
	s.byToken[token] = session{user: u, until: time.Now().Add(sessionLasts)}
	return token
}

// of finds who makes a request, by cookie or by bearer token.
func (s *sessions) of(r *http.Request) *user {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if cookie, err := r.Cookie(sessionCookie); !ok && err == nil {
		token = cookie.Value
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.byToken[token]
	if !ok || time.Now().After(one.until) {
		return nil
	}
	return &one.user
}

var errWrongLogin = errors.New("wrong e-mail or password")

// noHash costs as much to compare with as a real one, so that an answer does not
// tell by its time whether a user exists.
const noHash = "$2a$10$7EqJtq98hPqEX7fNZaFWoOhi5BWX4Z1Z3MxE8lmyy6h6Zy/YPj4Oa"

// logIn checks a password.
func (s *stores) logIn(ctx context.Context, email, password string) (user, error) {
	var u user
	var hash string
	err := s.pg.QueryRow(ctx, "SELECT id, name, email, password_hash FROM users WHERE email = lower($1)", strings.TrimSpace(email)).Scan(&u.ID, &u.Name, &u.Email, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		hash = noHash
	} else if err != nil {
		return u, fmt.Errorf("read user: %w", err)
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil || u.ID == 0 {
		return user{}, errWrongLogin
	}
	return u, nil
}
