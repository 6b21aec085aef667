package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// config is what the environment says.
type config struct {
	databaseURL string // WHERE2EAT_DATABASE_URL
	notesPath   string // WHERE2EAT_NOTES_PATH
	listen      string // WHERE2EAT_LISTEN
	outbox      string // WHERE2EAT_OUTBOX: folder for mail; empty means that none is sent
	newRanking  bool   // WHERE2EAT_FLAG_NEW_RANKING: on or off
	flagFile    string // WHERE2EAT_FLAG_FILE: its text, on or off, decides instead, at any time
	drill       bool   // LIFEBOAT_DRILL=1: a rehearsal on restored data, nobody may get mail
	broken      string // WHERE2EAT_BREAK: how to be broken on purpose
}

// breaks are the ways to be broken on purpose.
var breaks = []string{"health", "slow", "errors", "login", "ranking"}

func readConfig(env func(string) string) (config, error) {
	c := config{
		databaseURL: env("WHERE2EAT_DATABASE_URL"),
		notesPath:   env("WHERE2EAT_NOTES_PATH"),
		listen:      env("WHERE2EAT_LISTEN"),
		outbox:      env("WHERE2EAT_OUTBOX"),
		newRanking:  env("WHERE2EAT_FLAG_NEW_RANKING") == "on",
		flagFile:    env("WHERE2EAT_FLAG_FILE"),
		drill:       env("LIFEBOAT_DRILL") == "1",
		broken:      env("WHERE2EAT_BREAK"),
	}
	if c.listen == "" {
		c.listen = "127.0.0.1:8090"
	}
	var errs []error
	for name, value := range map[string]string{"WHERE2EAT_DATABASE_URL": c.databaseURL, "WHERE2EAT_NOTES_PATH": c.notesPath} {
		if value == "" {
			errs = append(errs, fmt.Errorf("%s is not set", name))
		}
	}
	return c, errors.Join(append(errs, checkBreak(c.broken))...)
}

func checkBreak(broken string) error {
	if broken == "" || slices.Contains(breaks, broken) {
		return nil
	}
	return fmt.Errorf("unknown break %q: use one of %s", broken, strings.Join(breaks, ", "))
}

// ranksNewly says whether the feature flag for the new ranking is on now.
func (c config) ranksNewly() bool {
	if c.flagFile != "" {
		if text, err := os.ReadFile(c.flagFile); err == nil {
			return strings.TrimSpace(string(text)) == "on"
		}
	}
	return c.newRanking
}
