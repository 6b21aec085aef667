package approval_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/approval"
)

// Whatever arrives as a decision is answered: no shape is an error that nobody
// sees.
func TestEveryShapeIsAnswered(t *testing.T) {
	const hint = `): send {"verdict":"approve","by":"your name"} or {"verdict":"reject","by":"your name","reason":"…"}`
	for name, c := range map[string]struct{ sent, want string }{
		"null":                {`null`, `the verdict is missing`},
		"empty":               {`{}`, `the verdict is missing`},
		"text":                {`"approve"`, `this is not a decision (cannot unmarshal string into Go value of type approval.`},
		"list":                {`["approve"]`, `this is not a decision (cannot unmarshal array`},
		"number":              {`1`, `this is not a decision (cannot unmarshal number`},
		"true":                {`true`, `this is not a decision (cannot unmarshal bool`},
		"misspelt":            {`{"verdct":"approve","by":"rebecca"}`, `this is not a decision (unknown field "verdct"` + hint},
		"verdict unknown":     {`{"verdict":"yes","by":"rebecca"}`, `this is not a decision (read verdict "yes": write approve, reject or snooze` + hint},
		"verdict in capitals": {`{"verdict":"APPROVE","by":"rebecca"}`, `this is not a decision (read verdict "APPROVE": write approve, reject or snooze` + hint},
		"verdict a number":    {`{"verdict":1,"by":"rebecca"}`, `this is not a decision (`},
		"verdict a list":      {`{"verdict":["approve"],"by":"rebecca"}`, `this is not a decision (`},
		"verdict empty":       {`{"verdict":"","by":"rebecca"}`, `the verdict is missing`},
		"verdict null":        {`{"verdict":null,"by":"rebecca"}`, `the verdict is missing`},
		"by a number":         {`{"verdict":"approve","by":7}`, `this is not a decision (`},
		"by missing":          {`{"verdict":"approve"}`, `who decides is missing`},
		"not a time":          {`{"verdict":"approve","by":"rebecca","at":"now"}`, `this is not a decision (`},
		"a very long field":   {`{"` + strings.Repeat("x", 9000) + `":1}`, `…` + hint},
	} {
		t.Run(name, func(t *testing.T) {
			d := by("rebecca", approval.Approve) // what was in it before is forgotten
			require.NoError(t, json.Unmarshal([]byte(c.sent), &d))
			b := ask(unverified)
			answer := b.Take(asked, d, false)
			require.False(t, answer.Accepted)
			require.Contains(t, answer.Text, c.want)
			require.Less(t, len(answer.Text), 400)
			require.Len(t, b.Refusals, 1)
			require.Equal(t, approval.Open, b.Outcome)
		})
	}
}

func TestDecisionSurvivesJSON(t *testing.T) {
	d := by("rebecca", approval.Approve, typing("where2eat")).Vouch([]byte("key"))
	data, err := json.Marshal(d)
	require.NoError(t, err)
	var again approval.Decision
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, d, again)
	require.True(t, again.Vouched([]byte("key")))
}

func TestVouchedDecisions(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	vouched := by("rebecca", approval.Approve, typing("where2eat"), choosing("deploy:v1"), func(d *approval.Decision) { d.Reason = "go" }).Vouch(key)
	require.True(t, vouched.Vouched(key))
	elsewhere := vouched
	elsewhere.At = vouched.At.In(time.FixedZone("elsewhere", 3600))
	require.True(t, elsewhere.Vouched(key), "the same moment")

	require.False(t, vouched.Vouched([]byte("another key, just as long as that")))
	require.False(t, vouched.Vouched(nil))
	require.False(t, by("rebecca", approval.Approve).Vouch(nil).Vouched(nil), "no key vouches for nothing")
	require.False(t, by("rebecca", approval.Approve).Vouched(key), "no proof")

	for name, forge := range map[string]func(d *approval.Decision){
		"request":                              func(d *approval.Decision) { d.Request = "run-2" },
		"digest":                               func(d *approval.Decision) { d.Digest = "d2" },
		"verdict":                              func(d *approval.Decision) { d.Verdict = approval.Reject },
		"reason":                               func(d *approval.Decision) { d.Reason = "stop" },
		"confirm":                              func(d *approval.Decision) { d.Confirm = "another" },
		"choice":                               func(d *approval.Decision) { d.Choice = "deploy:v2" },
		"choice left out":                      func(d *approval.Decision) { d.Choice = "" },
		"choice typed":                         func(d *approval.Decision) { d.Confirm, d.Choice = d.Confirm+d.Choice, "" },
		"by":                                   func(d *approval.Decision) { d.By = "kim" },
		"via":                                  func(d *approval.Decision) { d.Via = approval.ViaCLI },
		"at":                                   func(d *approval.Decision) { d.At = d.At.Add(time.Nanosecond) },
		"proof":                                func(d *approval.Decision) { d.Proof = strings.Repeat("0", len(d.Proof)) },
		"what belongs to one field in another": func(d *approval.Decision) { d.Request, d.Digest = d.Request+"d", d.Digest[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			forged := vouched
			forge(&forged)
			require.False(t, forged.Vouched(key))
		})
	}
}

// A claim about one thing is none about another.
func TestVouchedClaims(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	claim := approval.Claim{By: "sam", Via: approval.ViaCLI, At: asked}.Vouch(key, approval.StartSubject("Restore", "restore/where2eat/1", "app"))
	require.True(t, claim.Vouched(key, approval.StartSubject("Restore", "restore/where2eat/1", "app")))
	require.False(t, claim.Vouched(key, approval.StartSubject("Restore", "restore/where2eat/2", "app")))
	require.False(t, claim.Vouched(key, approval.StartSubject("RestoreDrill", "restore/where2eat/1", "app")))
	require.False(t, claim.Vouched(key, approval.StartSubject("Restore", "restore/where2eat/1", "notes")))
	require.False(t, claim.Vouched(key, by("sam", approval.Approve).Subject()))
}

func TestDigestNamesAPlanByItsContent(t *testing.T) {
	type plan struct {
		Set  string `json:"set"`
		Size int    `json:"size"`
	}
	digest, err := approval.Digest(plan{"a", 1})
	require.NoError(t, err)
	require.Equal(t, "d334b78ee8d0", digest[:12], "the SHA-256 of its JSON")
	other, err := approval.Digest(plan{"a", 2})
	require.NoError(t, err)
	require.NotEqual(t, digest, other)
	_, err = approval.Digest(func() {})
	require.ErrorContains(t, err, "digest plan: ")
}

// Nothing that anybody sends through Temporal decides where a door is needed.
func FuzzNoBytesDecideUnverified(f *testing.F) {
	for _, seed := range []string{
		`{"verdict":"approve","by":"rebecca"}`, `{"verdict":"approve","by":"rebecca","via":"slack","request":"run-1","digest":"d1","proof":"00"}`,
		`{"verdict":"reject","by":"rebecca","reason":"no"}`, `null`, `[]`, `{"by":{}}`, `{"at":"9999-12-31T23:59:59-23:59","verdict":"approve"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var d approval.Decision
		if json.Unmarshal(data, &d) != nil {
			return // not JSON at all: Temporal would not hand it over
		}
		require.False(t, d.Vouched([]byte("key")))
		b := ask()
		answer := b.Take(asked, d, false)
		require.False(t, answer.Accepted)
		require.NotEmpty(t, answer.Text)
		require.Equal(t, approval.Open, b.Outcome)
		require.Empty(t, b.Votes)
		_, err := json.Marshal(b)
		require.NoError(t, err)
	})
}
