package activities

import "context"

// Pings tells dead man's switches how playbooks go, so that silence is noticed by
// somebody else.
type Pings struct {
	Switches Switches
}

// The signals of a ping.
const (
	PingStart   = "start"
	PingSuccess = "success"
	PingFail    = "fail"
)

// PingInput names a switch by a secret's reference.
type PingInput struct {
	Switch string `json:"switch"`
	Signal string `json:"signal"`
	Text   string `json:"text,omitempty"`
}

// PingSwitch pings a switch once.
func (p *Pings) PingSwitch(ctx context.Context, in PingInput) error {
	return classify(ctx, p.Switches.Ping(ctx, in.Switch, in.Signal, in.Text))
}
