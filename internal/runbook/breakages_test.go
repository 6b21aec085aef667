package runbook_test

import "strings"

// breakages are ways to break testdata/app-is-slow.md.
func breakages() []breakage {
	const (
		http     = "```http {\"name\":\"answers\",\"timeout\":\"10s\",\"status\":\"204\",\"contains\":[\"up\",\"{service}\"]}"
		sql      = "```sql {\"name\":\"waiting\",\"source\":\"app\",\"expect\":\"0\",\"when\":\"answers failed\"}"
		sh       = "```sh {\"safe\":true}"
		rollback = "```playbook {\"name\":\"back\",\"when\":\"restart failed\"}"
		restore  = "```playbook\n"
		say      = "```say {\"name\":\"over\",\"to\":\"both\",\"excludeFromRunAll\":true}"
		comment  = `<!-- step {"name":"load","when":["answers failed","waiting ok"]} -->`
		between  = "## Mitigation\n\n7. Restore beside, and take rows out of it.\n\n   ```playbook\n   Restore {\"service\":\"{service}\",\"beside\":true,\"sources\":[\"app\"]}\n   ```\n\n## Post-incident\n"
		input    = `Rollback {"to":"v1 {suffix}"}`
	)
	return []breakage{
		// Front matter.
		{"services with nothing", "[where2eat]", `[""]`, "services:", "services holds something that is no name", "services: [one, another]"},
		{"services with a group", "[where2eat]", "[{a: b}]", "services:", "services holds something that is no name", "services: [one, another]"},
		{"alert twice", `"Latency is high"`, "SlowApp", "alerts:", `alerts holds "SlowApp" twice`, "keep one"},
		{"severity that is a list", "severity: quiet", "severity: [quiet]", "severity:", "severity", "write page, quiet or mail"},
		{"unclosed quote", "title: The app is slow", `title: "The app is slow`, "services:", "not valid YAML", "quotes"},
		{"tab in front matter", "services: [where2eat]", "services:\n\t- where2eat", "\t- where2eat", "not valid YAML", "indentation"},

		// Sections.
		{"no symptoms", "## Symptoms", "### Signs", "## Immediate", `has no heading "Symptoms"`, "write ## Symptoms before ## Immediate action"},
		{"no mitigation", "## Mitigation", "### Ways around", "## Post-incident", `has no heading "Mitigation"`, "write ## Mitigation before ## Post-incident"},
		{"no post-incident", "## Post-incident", "### Later", "   - what helped", `has no heading "Post-incident"`, "write ## Post-incident at the end"},
		{"sections out of order", between, strings.NewReplacer("## Mitigation", "## Post-incident", "## Post-incident", "## Mitigation").Replace(between), "## Mitigation", `heading "Mitigation" stands after "Post-incident"`, "keep to the order"},
		{"heading in one word", "## Post-incident", "## Post-incident work", "## Post-incident work", "is written in another way", "write ## Post-incident"},
		{"heading without the time", "## Immediate action (first 10 minutes)", "## Immediate action", "## Immediate action", "is written in another way", "(first 10 minutes)"},
		{"heading with a line below it", "## Mitigation\n", "Ideas\n-----\n\n## Mitigation\n", "Ideas", `heading "Ideas" is none of the five`, "the five are: Symptoms, "},

		// Items.
		{"item that holds nothing", "9. Write down:\n   - what it was\n   - what helped", "9.", "9.", "has nothing in step 9", "write what to do"},
		{"item that is a comment", "9. Write down:\n   - what it was\n   - what helped", "9. <!-- later -->", "9.", "has nothing in step 9", "write what to do"},
		{"step without words", "5. Empty the cache.\n\n   ```sh", "5. ```sh", "5. ```sh", "does not say what step 5 is for", "write a sentence"},
		{"second block", "   rm -rf /var/cache/{service}\n   ```", "   ls\n   ```\n\n   ```sql\n   select 1\n   ```", "```sql\n   select 1\n", "second block in step 5", "give it a step of its own"},
		{"block in a list of a step", "   - what helped", "   - what helped\n\n     ```sh\n     ls\n     ```", "```sh\n     ls", `block "sh" that would never run`, "indented like the step's text"},
		{"block that is not indented", "   ```sh {\"safe\":true}\n   rm -rf /var/cache/{service}\n   ```", "```sh {\"safe\":true}\nrm -rf /var/cache/x\n```", "```sh {\"safe\"", `block "sh" that would never run`, "indented like the step's text"},
		{"end that is not indented", "   rm -rf /var/cache/{service}\n   ```", "   rm -rf /var/cache/x\n```", "```sh {\"safe\"", "never closed", "indented like the line that begins it"},
		{"end that is missing", "   rm -rf /var/cache/{service}\n   ```", "   rm -rf /var/cache/x", "```sh {\"safe\"", "never closed", "write ```"},
		{"end of the last block that is missing", "   It was slow from {since} on ({status}).\n   ```\n\n9. Write down:\n   - what it was\n   - what helped\n", "   It was slow.", say, "never closed", "write ```"},
		{"block without an end or a line", say + "\n   {service} is quick again since {now}: {what}.\n\n   It was slow from {since} on ({status}).\n   ```\n\n9. Write down:\n   - what it was\n   - what helped\n", say, say, "never closed", "write ```"},
		{"list begins again", "## Mitigation\n\n7.", "## Mitigation\n\n1.", "1. Restore beside", "begins a list with 1, and the next step is 7", "write 7. here"},
		{"list leaps", "## Mitigation\n\n7.", "## Mitigation\n\n8.", "8. Restore", "begins a list with 8, and the next step is 7", "write 7. here"},

		// Kinds and attributes.
		{"bash", sh, "```bash {\"safe\":true}", "```bash", `block "bash" is no kind of step`, "known kinds: sh, http, sql, playbook, say"},
		{"kind in capitals", sh, "```SH {\"safe\":true}", "```SH", `block "SH" is no kind of step`, "known kinds"},
		{"manual", sh, "```manual", "```manual", `block "manual" is no kind of step`, "known kinds"},
		{"language", "```\nGET /ready", "```http\nGET /ready", "```http\nGET /ready", `block "http" that would never run`, "leave http out"},
		{"attributes without braces", sh, "```sh safe=true", "```sh safe", "attributes that are not valid JSON", "write them as JSON"},
		{"attributes in Runme's short form", sh, "```sh { safe=true }", "```sh { safe", "attributes that are not valid JSON", "write them as JSON"},
		{"attributes that are a list", sh, "```sh [\"safe\"]", "```sh [", "it is no object", "write them as JSON"},
		{"attributes that end early", sh, "```sh {\"safe\":true", "```sh {\"safe\"", "ends too early", "write them as JSON"},
		{"attributes that go on", sh, "```sh {\"safe\":true} now", "} now", "something follows its end", "write them as JSON"},
		{"attributes with a comma too many", sh, "```sh {\"safe\":true,}", "true,}", "attributes that are not valid JSON", "write them as JSON"},
		{"attributes in single quotes", sh, "```sh {'safe':true}", "{'safe'", "attributes that are not valid JSON", "write them as JSON"},
		{"attributes in a comment and a block", "5. Empty the cache.\n", "5. Empty the cache.\n   <!-- step {\"name\":\"empty\"} -->\n", `"empty"`, "attributes in a comment, and step 5 has a block", "after the block's kind"},
		{"attributes inside of a text", "   A number above 4 is much.\n", "   A number above 4 <!-- step {\"name\":\"x\"} --> is much.\n", `"x"`, "attributes in a comment inside of a text", "on a line of its own"},
		{"broken comment", "   - what it was", "   <!-- step {name} -->\n   - what it was", "{name}", "attributes that are not valid JSON", "write them as JSON"},
		{"timeout in a comment", "   - what it was", "   <!-- step {\"timeout\":\"5m\"} -->\n   - what it was", "timeout\":\"5m\"} --", `attribute "timeout" is not known for manual`, "known there: name, when"},
		{"name of spaces", sh, "```sh {\"safe\":true,\"name\":\" \"}", `" "`, "name is not a text", "leave it out"},
		{"long name", sh, "```sh {\"safe\":true,\"name\":\"a23456789012345678901234567890123456789012\"}", "a2345", "cannot be used", "1 to 40"},
		{"name of a later default", sh, "```sh {\"safe\":true,\"name\":\"step-9\"}", "9. Write", `name "step-9" is there twice`, "its own name"},
		{"timeout without a unit", `"timeout":"10s"`, `"timeout":"10"`, `"timeout":"10"`, `timeout "10" is not a time`, "such as 30s or 5m"},
		{"timeout that is a number", `"timeout":"10s"`, `"timeout":10`, `"timeout":10`, "timeout is not a text", `"timeout":"…"`},
		{"timeout of days", `"timeout":"10s"`, `"timeout":"2d"`, `"timeout":"2d"`, `timeout "2d" is not a time`, "from 1s to 24h"},
		{"timeout of nothing", `"timeout":"10s"`, `"timeout":"1ms"`, `"timeout":"1ms"`, `timeout "1ms" is not a time`, "from 1s to 24h"},
		{"negative timeout", `"timeout":"10s"`, `"timeout":"-5s"`, `"timeout":"-5s"`, "is not a time", "from 1s to 24h"},

		// Commands.
		{"nobody lets it run", sh, "```sh", "```sh\n", "nothing lets the command of step 5 run", `"approve":"oncall"`},
		{"not safe", sh, "```sh {\"safe\":false}", "```sh {\"safe\":false", "nothing lets the command of step 5 run", `"safe":true`},
		{"approved and safe", sh, "```sh {\"safe\":true,\"approve\":\"oncall\"}", "```sh {\"safe\":true,", "both approve and safe", "keep approve if a person must agree"},
		{"approved by nobody", sh, "```sh {\"approve\":[]}", "```sh {\"approve\":[]", "approve is neither a text nor a list", "or leave it out"},
		{"approved by a number", sh, "```sh {\"approve\":[7]}", "```sh {\"approve\":[7]", "approve is neither a text nor a list", `"approve":["…","…"]`},
		{"approved by a blank", sh, "```sh {\"approve\":[\"oncall\",\"\"]}", "```sh {\"approve\":[", "approve is neither a text nor a list", "or leave it out"},
		{"safe or not", sh, "```sh {\"safe\":\"maybe\"}", "maybe", "safe is neither true nor false", `"safe":true`},
		{"repeatable or not", sh, "```sh {\"safe\":true,\"repeatable\":1}", "\"repeatable\":1", "repeatable is neither true nor false", `"repeatable":true`},
		{"empty command", "   rm -rf /var/cache/{service}\n", "", sh, "has an empty block in step 5", "write the command into it"},
		{"blank command", "   rm -rf /var/cache/{service}\n", "   \n   \n", sh, "has an empty block in step 5", "write the command into it"},
		{"fact in a command", "rm -rf /var/cache/{service}", "rm -rf /var/cache/{service}\n   echo {what}", "echo {what}", "{what} is filled in only in what is said", "LIFEBOAT_ALERT_"},
		{"fact in a step's text", "Empty the cache.", "Empty the cache of {now}.", "of {now}", "{now} is filled in only in what is said", "remove it"},
		{"fact in a section's text", "- Users write to us.", "- Users write to us since {since}.", "## Symptoms", "{since} is filled in only in what is said", "remove it"},
		{"fact before the sections", "For **everyone**", "For {status}, and **everyone**", "---", "{status} is filled in only in what is said", "remove it"},

		// HTTP checks.
		{"empty check", "   GET {health}/fast?all=1\n", "", http, "has an empty block in step 1", "GET {health}"},
		{"POST", "GET {health}/fast?all=1", "POST {health}/fast", "POST", "asks no address of a page", "GET {health}"},
		{"two addresses", "GET {health}/fast?all=1", "GET {health}\n   GET {health}/fast", "GET {health}\n", "asks no address of a page", "write one line"},
		{"address of a file", "GET {health}/fast?all=1", "file:///etc/passwd", "file:///", "asks no address of a page", "http://…"},
		{"address without a scheme", "GET {health}/fast?all=1", "GET where2eat.example/ready", "GET where2eat", "asks no address of a page", "http://…"},
		{"address with a password", "GET {health}/fast?all=1", "GET https://ann:hunter2@where2eat.example", "hunter2", "asks no address of a page", "without user and password"},
		{"address below blank lines", "GET {health}/fast?all=1", "\n\n   nowhere", "nowhere", "asks no address of a page", "write one line"},
		{"status in words", `"status":"204"`, `"status":"fine"`, "fine", "status is not a number", "from 100 to 599"},
		{"status that is none", `"status":"204"`, `"status":42`, `"status":42`, "status is not a number", "from 100 to 599"},
		{"contains nothing", `["up","{service}"]`, `""`, `"contains":""`, "contains is neither a text nor a list", "or leave it out"},
		{"contains a group", `["up","{service}"]`, `{"a":"b"}`, `"contains":{`, "contains is neither a text nor a list", "or leave it out"},
		{"fact in what an answer holds", `["up","{service}"]`, `["{what}"]`, `{what}`, "{what} is filled in only in what is said", "remove it"},

		// SQL checks.
		{"empty query", "   select count(*) from pg_locks\n   where not granted\n", "", sql, "has an empty block in step 2", "select 1"},
		{"query that deletes", "select count(*) from pg_locks", "DELETE from visits", "DELETE", "is a check, and DELETE changes data", "sh step"},
		{"query that drops", "select count(*) from pg_locks", "\n   drop table visits;", "drop table", "is a check, and drop changes data", "sh step"},
		{"query that updates", "select count(*) from pg_locks", "Update visits set id = 1", "Update", "is a check, and Update changes data", "only reads"},
		{"source that is a list", `"source":"app"`, `"source":["app"]`, `"source":[`, "source is not a text", `"source":"…"`},
		{"expected number", `"expect":"0"`, `"expect":0`, `"expect":0`, "expect is not a text", `"expect":"…"`},

		// Playbooks.
		{"empty playbook", "   " + input + "\n", "", rollback, "has an empty block in step 6", "such as Rollback"},
		{"unknown playbook", input, "Reboot", "Reboot", `"Reboot" is no playbook`, "write one of BackupAndVerify"},
		{"playbook in small letters", input, `rollback {"to":"v1"}`, "rollback {", `"rollback" is no playbook`, "Rollback"},
		{"dangerous playbook", input, `Prune {}`, "Prune", `"Prune" is no playbook`, "write one of"},
		{"two playbooks", input, "Rollback\n   Restore", "Rollback\n", "an input that is not valid JSON", "or leave it out"},
		{"playbook with words", input, "Rollback to v1", "Rollback to v1", "an input that is not valid JSON", `Rollback {"service":"{service}"}`},
		{"playbook with half an input", input, `Rollback {"to":"v1"`, `Rollback {"to"`, "ends too early", "or leave it out"},
		{"unknown input", input, `Rollback {"tag":"v1"}`, `"tag"`, `input "tag" is not known for Rollback`, "known there: service, to"},
		{"forged request", input, `Rollback {"requested":{"by":"ann"}}`, `"requested"`, `input "requested" is not known for Rollback`, "known there: service, to"},
		{"input twice", input, `Rollback {"to":"v1","to":"v2"}`, `"v2"`, `input "to" twice`, "keep one"},
		{"input of another playbook", `"beside":true`, `"tag":"v1"`, `"tag"`, `input "tag" is not known for Restore`, "set, sources, beside"},
		{"another service", `Restore {"service":"{service}"`, `Restore {"service":"where2sleep"`, "where2sleep", "for another service than the incident", `"service":"{service}"`},
		{"playbook with its name against its input", input, `Rollback{"tag":"v1"}`, `Rollback{`, `input "tag" is not known for Rollback`, "known there"},
		{"attribute of a bare playbook", restore, "```playbook {\"timeout\":\"5m\"}\n", `{"timeout":"5m"}`, `attribute "timeout" is not known for playbook`, "known there: name, when"},

		// What is said.
		{"said to nobody", `"to":"both"`, `"to":"all"`, `"to":"all"`, `to "all" is nowhere`, "channel, mail or both"},
		{"said to a list", `"to":"both"`, `"to":["mail"]`, `"to":["mail"]`, "to is not a text", `"to":"…"`},
		{"nothing said", "   {service} is quick again since {now}: {what}.\n\n   It was slow from {since} on ({status}).\n", "", say, "has an empty block in step 8", "write the text into it"},

		// Conditions.
		{"one word", `"when":"restart failed"`, `"when":"restart"`, `"restart"}`, `when "restart" is no condition`, `"NAME failed"`},
		{"three words", `"when":"restart failed"`, `"when":"restart has failed"`, "has failed", "is no condition", `"NAME failed"`},
		{"condition that is a group", `"when":"restart failed"`, `"when":{"restart":"failed"}`, `"when":{`, "when is neither a text nor a list", "or leave it out"},
		{"no condition", `"when":"restart failed"`, `"when":[]`, `"when":[]`, "when is neither a text nor a list", "or leave it out"},
		{"unknown step", `"when":"restart failed"`, `"when":"reboot failed"`, "reboot failed", `"reboot", which is no step`, "the earlier steps are answers, waiting, load, restart, step-5"},
		{"later step by its default name", `"when":"restart failed"`, `"when":"step-7 ok"`, "step-7 ok", `waits for "step-7", which is not before it`, "name an earlier step"},
		{"manual step that fails", `"when":"load did-not-help"`, `"when":"load failed"`, "load failed", `until "load" ends as failed, which it cannot`, "ok, skipped, did-not-help"},
		{"check that does not help", `"when":"answers failed"}`, `"when":"answers did-not-help"}`, "answers did-not-help", "which it cannot", "ok, failed, skipped"},
		{"first step waits", `{"name":"answers",`, `{"name":"answers","when":"nothing ok",`, "nothing ok", `"nothing", which is no step`, "there is no earlier step"},
		{"both ways", `"when":"restart failed"`, `"when":["restart failed","restart ok"]`, "restart ok", "step 6 can never be reached", "change what it waits for"},
		{"both ways through others", `"when":"restart failed"`, `"when":["restart failed","answers ok"]`, `"answers ok"`, `"answers" would have to end both as ok and as failed`, "change what it waits for"},
		{"both ways far off", comment, `<!-- step {"name":"load","when":["answers skipped","waiting ok"]} -->`, "answers skipped", "step 3 can never be reached", "change what it waits for"},
	}
}
