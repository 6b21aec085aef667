// Package slacksim is a stand-in for Slack on loopback, for demos and tests. It
// speaks the parts of the Web API and of Socket Mode that an app with messages,
// buttons, modals, a slash command and an App Home uses, keeps Slack's limits, and
// has faults to switch on. People act through its page, or through [Server]'s
// methods. What the methods do can also be done over HTTP, as the page does it: below
// /sim/, in JSON.
//
// There is one workspace with one app, one public channel and three people. Each
// person has a conversation with the app, and an App Home.
//
// What Slack answers is written down at https://docs.slack.dev/reference/methods, what
// it sends at https://docs.slack.dev/apis/events-api/using-socket-mode and
// https://docs.slack.dev/reference/interaction-payloads, and its limits at
// https://docs.slack.dev/reference/block-kit. Blocks and elements that the page cannot show
// are refused as unsupported.
package slacksim
