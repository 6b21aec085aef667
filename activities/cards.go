package activities

import (
	"context"

	"github.com/lifeboat-run/lifeboat/internal/card"
)

// Cards shows people how runs are going.
type Cards struct {
	Board Board
}

// PostCardInput holds the newest state of a card.
type PostCardInput struct {
	Ref   card.Ref  `json:"ref"` // empty: not posted yet
	Card  card.Card `json:"card"`
	Again bool      `json:"again,omitempty"` // an earlier try may have posted it
}

// PostCard posts a card, or edits the one that was posted.
func (c *Cards) PostCard(ctx context.Context, in PostCardInput) (card.Ref, error) {
	ctx, w := begin(ctx, "posting the card")
	ref, err := c.Board.PostCard(ctx, in.Ref, in.Card, in.Again)
	return ref, w.finish(ctx, err)
}

// PostNoteInput holds one message for the thread of a card.
type PostNoteInput struct {
	Ref   card.Ref  `json:"ref"`
	Note  card.Note `json:"note"`
	Again bool      `json:"again,omitempty"`
}

// PostNote posts a message in the thread of a card.
func (c *Cards) PostNote(ctx context.Context, in PostNoteInput) error {
	ctx, w := begin(ctx, "posting a note")
	return w.finish(ctx, c.Board.PostNote(ctx, in.Ref, in.Note, in.Again))
}
