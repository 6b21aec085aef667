package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// mailer sends everyone who wants it one tip a week, by leaving the mail in the
// outbox. In a drill it sends nothing: the users in the data are real.
type mailer struct{ app *app }

func (m *mailer) run(ctx context.Context) {
	if m.app.config.drill {
		slog.Info("drill: no mail is sent")
		return
	}
	if m.app.config.outbox == "" {
		return
	}
	for {
		sent, err := m.send(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			slog.Error("send weekly tips", "error", err)
		}
		slog.Info("weekly tips", "sent", sent)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}

// send writes the tips of the week that are not in the outbox yet.
func (m *mailer) send(ctx context.Context, now time.Time) (sent int, err error) {
	rows, err := m.app.stores.pg.Query(ctx, "SELECT id, name, email FROM users WHERE tips ORDER BY id")
	if err != nil {
		return 0, fmt.Errorf("read users: %w", err)
	}
	users, err := pgx.CollectRows(rows, pgx.RowToStructByPos[user])
	if err != nil {
		return 0, fmt.Errorf("read users: %w", err)
	}
	year, week := now.ISOWeek()
	for _, u := range users {
		picks, err := m.app.stores.recommend(ctx, u.ID, m.app.config.ranksNewly())
		if errors.Is(err, errNoData) {
			continue
		} else if err != nil {
			return sent, err
		}
		file, err := os.OpenFile(filepath.Join(m.app.config.outbox, fmt.Sprintf("%d-W%02d-%d.eml", year, week, u.ID)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue // was sent before
		} else if err != nil {
			return sent, fmt.Errorf("write mail: %w", err)
		}
		_, err = fmt.Fprintf(file, "To: %s\nSubject: Where to eat this week\n\nHello %s,\n\ntry %s, %s: %s.\n", u.Email, u.Name, picks[0].Name, picks[0].Street, picks[0].Why)
		if err = errors.Join(err, file.Close()); err != nil {
			return sent, fmt.Errorf("write mail: %w", err)
		}
		sent++
	}
	return sent, nil
}
