package slackapp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// What a person must do about an error.
const (
	mendBot     = "put the Bot User OAuth Token (xoxb-…) of the app's page OAuth & Permissions into what slack.botToken refers to"
	mendApp     = "put an App-Level Token (xapp-…) with the scope connections:write, from the app's page Basic Information, into what slack.appToken refers to"
	mendInvite  = "invite the app by writing /invite @Lifeboat in the channel, and check that slack.channel is the channel's id"
	mendArchive = "set slack.channel to a channel that is in use"
	mendScopes  = "put deploy/slack-app-manifest.yaml into the app's page App Manifest, and install the app again"
	mendReport  = "this is a fault of Lifeboat: please report it; the run goes on, and can be decided by starter decide"
)

// mends says what to do about Slack's errors that stay until a person acts. The
// others pass, or are tried again as if they did.
var mends = map[string]string{
	"not_in_channel":        mendInvite,
	"channel_not_found":     mendInvite,
	"is_archived":           mendArchive,
	"missing_scope":         mendScopes,
	"no_permission":         mendScopes,
	"invalid_arguments":     mendReport,
	"invalid_blocks":        mendReport,
	"invalid_blocks_format": mendReport,
	"msg_blocks_too_long":   mendReport,
	"msg_too_long":          mendReport,
	"metadata_too_large":    mendReport,
	"no_text":               mendReport,
	"view_too_large":        mendReport,
}

// badToken are Slack's errors about the token itself.
var badToken = map[string]bool{
	"invalid_auth": true, "not_authed": true, "account_inactive": true, "token_revoked": true,
	"token_expired": true, "not_allowed_token_type": true,
}

// classify says what an error of a call means. about is what was done; mendToken
// is the mend of the token that the call used. Tokens are in no text: slack-go
// sends them in headers and bodies, and addresses are left out.
func classify(err error, about, mendToken string) error {
	if err == nil {
		return nil
	}
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return recovery.NewFault(recovery.Unavailable, fmt.Errorf("%s: slack asks to wait %s", about, limited.RetryAfter), "")
	}
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return refusal(refused, about, mendToken)
	}
	if code, ok := errors.AsType[slack.StatusCodeError](err); ok {
		return recovery.NewFault(recovery.Unavailable, fmt.Errorf("%s: slack answers %d", about, code.Code), "")
	}
	if address, ok := errors.AsType[*url.Error](err); ok {
		err = address.Err // without the address, which may be a capability
	}
	return recovery.NewFault(recovery.Unavailable, fmt.Errorf("%s: %w", about, err), "")
}

func refusal(r slack.SlackErrorResponse, about, mendToken string) error {
	text := about + ": slack says " + r.Err
	if r.Needed != "" {
		text += ", needed: " + r.Needed
	}
	if len(r.ResponseMetadata.Messages) > 0 {
		text += ": " + clip(r.ResponseMetadata.Messages[0], 300)
	}
	switch mend := mends[r.Err]; {
	case badToken[r.Err]:
		return recovery.NewFault(recovery.Permanent, errors.New(text), mendToken)
	case r.Err == "missing_scope" && mendToken == mendApp:
		return recovery.NewFault(recovery.Permanent, errors.New(text), mendApp)
	case mend != "":
		return recovery.NewFault(recovery.Permanent, errors.New(text), mend)
	}
	return recovery.NewFault(recovery.Unavailable, errors.New(text), "")
}

// saysSlack tells whether Slack answered with one of the errors.
func saysSlack(err error, codes ...string) bool {
	refused, ok := errors.AsType[slack.SlackErrorResponse](err)
	return ok && slices.Contains(codes, refused.Err)
}

// patience is how long a call waits in all when Slack asks it to.
const patience = 30 * time.Second

// whenAllowed makes a call, and makes it again when Slack asked to wait and the
// wait is bearable. It returns the error as it came.
func whenAllowed(ctx context.Context, call func() error) error {
	for left := patience; ; {
		err := call()
		limited, ok := errors.AsType[*slack.RateLimitedError](err)
		if !ok || limited.RetryAfter > left {
			return err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < limited.RetryAfter {
			return err
		}
		wait := max(limited.RetryAfter, time.Second) // for an answer that names no time
		left -= wait
		if !sleep(ctx, wait) {
			return err
		}
	}
}

// sleep returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
