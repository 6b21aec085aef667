// Package runbook reads the pages that people follow in an incident: one page of
// Markdown that a person reads on a code host or on paper, and whose steps can be
// run. It does no I/O.
//
// A page begins with front matter (title; services, alerts and severity if they are
// needed), and has five headings of level 2: [Headings]. The items of their numbered
// lists are its steps, numbered through the whole page. An item with a fenced block
// is run; its info string says how, as a kind and JSON attributes, in the form that
// Runme (https://docs.runme.dev) reads as well:
//
//	```sh {"name":"restart","approve":"oncall","when":"answers failed"}
//	{restart}
//	```
//
// An item without one is for a person to do. A comment gives it a name or conditions:
//
//	<!-- step {"name":"look","when":"answers ok"} -->
//
// {service}, and variables of the service such as {restart}, are filled in from the
// config; nothing else is, so that no text of an alert ever becomes part of a command.
//
// [Parse] reports what is wrong with a page by itself, [Page.Check] what does not fit
// a config, each with its line and what to do. [Page.For] fills a page in.
package runbook
