package recovery

// DigestSpec says when the digest of all services is sent, and to whom.
type DigestSpec struct {
	Every    Cadence    `json:"every"`
	Mail     []Person   `json:"mail,omitempty"`  // each has an address; sorted by name
	Slack    *SlackSpec `json:"slack,omitempty"` // nil: it is not posted
	TimeZone string     `json:"timeZone"`        // IANA name, for the cadence and for the times in it
	// Ping is a secret's reference: the URL that is pinged when it was sent, for whoever
	// notices that it does not come.
	Ping string `json:"ping,omitempty"`
}

// The ways in which a connection to a mail server is protected.
const (
	MailStartTLS = "starttls" // begins in the clear, goes on only encrypted
	MailTLS      = "tls"      // encrypted from the first byte
	MailClear    = "none"     // on loopback only
)

// MailSpec says how mail is sent.
type MailSpec struct {
	Server   string `json:"server"` // host:port
	Security string `json:"security"`
	From     string `json:"from"`               // address
	User     string `json:"user,omitempty"`     // a secret's reference; empty: nobody logs in
	Password string `json:"password,omitempty"` // a secret's reference
}
