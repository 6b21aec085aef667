package slacksim

import (
	"slices"
)

// blocks checks the blocks of a message or a view.
func (c *checker) blocks(at string, list []any, most int) {
	seen := map[string]bool{}
	c.list(at, list, most, func(at string, block object) {
		c.block(at, block)
		id := c.optional(at, block, "block_id", 255)
		if id != "" && seen[id] {
			c.problem(at+"/block_id", "`block_id` must be unique: %s", id)
		}
		seen[id] = true
		c.uniqueActions(at, block)
	})
}

func (c *checker) uniqueActions(at string, block object) {
	seen := map[string]bool{}
	for _, element := range interactive(block) {
		id, _ := element["action_id"].(string)
		if id != "" && seen[id] {
			c.problem(at, "`action_id` must be unique within a block: %s", id)
		}
		seen[id] = true
	}
}

func (c *checker) block(at string, block object) {
	switch kind, _ := block["type"].(string); kind {
	case "header":
		c.text(at, block, "text", 150, plain)
	case "section":
		c.section(at, block)
	case "context":
		c.items(at, block, "elements", 10, func(at string, element object) {
			if element["type"] == "image" {
				c.image(at, element)
			} else {
				c.textObject(at, element, 3000, plain, markdown)
			}
		})
	case "actions":
		c.items(at, block, "elements", 25, func(at string, element object) {
			c.element(at, element, "button", "static_select", "overflow", "radio_buttons", "checkboxes")
		})
	case "input":
		c.input(at, block)
	case "image":
		c.image(at, block)
	case "rich_text":
		c.items(at, block, "elements", 1000, func(string, object) {})
	case "divider":
	default:
		c.problem(at+"/type", "unsupported type: %s", kind)
	}
}

func (c *checker) section(at string, block object) {
	_, text := block["text"]
	_, fields := block["fields"]
	if !text && !fields {
		c.problem(at, "missing required field: text")
	}
	c.optionalText(at, block, "text", 3000, plain, markdown)
	if fields {
		c.items(at, block, "fields", 10, func(at string, field object) { c.textObject(at, field, 2000, plain, markdown) })
	}
	accessory, ok := c.object(at, block, "accessory", false)
	switch {
	case !ok:
	case accessory["type"] == "image":
		c.image(at+"/accessory", accessory)
	default:
		c.element(at+"/accessory", accessory, "button", "static_select", "overflow", "radio_buttons", "checkboxes")
	}
}

func (c *checker) input(at string, block object) {
	c.text(at, block, "label", 2000, plain)
	c.optionalText(at, block, "hint", 2000, plain)
	if element, ok := c.object(at, block, "element", true); ok {
		c.element(at+"/element", element, "plain_text_input", "static_select", "radio_buttons", "checkboxes")
	}
}

func (c *checker) image(at string, o object) {
	if c.optional(at, o, "image_url", 3000) == "" {
		c.problem(at, "missing required field: image_url")
	}
	if c.optional(at, o, "alt_text", 2000) == "" {
		c.problem(at, "missing required field: alt_text")
	}
}

func (c *checker) element(at string, element object, kinds ...string) {
	kind, _ := element["type"].(string)
	if !slices.Contains(kinds, kind) {
		c.problem(at+"/type", "unsupported type: %s", kind)
		return
	}
	c.optional(at, element, "action_id", 255)
	c.optionalText(at, element, "placeholder", 150, plain)
	c.confirm(at, element)
	switch kind {
	case "button":
		c.text(at, element, "text", 75, plain)
		c.optional(at, element, "value", 2000)
		c.optional(at, element, "url", 3000)
		if style, there := element["style"]; there && style != "primary" && style != "danger" {
			c.problem(at+"/style", "must be one of primary, danger")
		}
	case "static_select":
		c.choice(at, element, 100, 75)
	case "overflow":
		c.choice(at, element, 5, 75)
	case "radio_buttons", "checkboxes":
		c.choice(at, element, 10, 150)
	case "plain_text_input":
		c.textInput(at, element)
	}
}

// confirm checks the dialog that asks before an action is sent.
func (c *checker) confirm(at string, element object) {
	dialog, ok := c.object(at, element, "confirm", false)
	if !ok {
		return
	}
	at += "/confirm"
	c.text(at, dialog, "title", 100, plain)
	c.text(at, dialog, "text", 300, plain, markdown)
	c.text(at, dialog, "confirm", 30, plain)
	c.text(at, dialog, "deny", 30, plain)
	if style, there := dialog["style"]; there && style != "primary" && style != "danger" {
		c.problem(at+"/style", "must be one of primary, danger")
	}
}

// choice checks an element with options, alone or in groups.
func (c *checker) choice(at string, element object, most, longest int) {
	option := func(at string, option object) {
		c.text(at, option, "text", longest, plain, markdown)
		c.optionalText(at, option, "description", 75, plain, markdown)
		if c.optional(at, option, "value", 150) == "" {
			c.problem(at, "missing required field: value")
		}
	}
	if _, grouped := element["option_groups"]; grouped && element["type"] == "static_select" {
		c.items(at, element, "option_groups", 100, func(at string, group object) {
			c.text(at, group, "label", 75, plain)
			c.items(at, group, "options", most, option)
		})
	} else {
		c.items(at, element, "options", most, option)
	}
	for _, initial := range initialOptions(element) {
		if _, ok := findOption(element, optionValue(initial)); !ok {
			c.problem(at, "initial_option must be one of the options")
		}
	}
}

func (c *checker) textInput(at string, element object) {
	shortest := c.count(at, element, "min_length", 3000)
	longest := c.count(at, element, "max_length", 3000)
	if longest > 0 && shortest > longest {
		c.problem(at+"/min_length", "must not be more than max_length")
	}
	c.optional(at, element, "initial_value", 3000)
}

func (c *checker) count(at string, o object, name string, most float64) float64 {
	value, there := o[name]
	if !there {
		return 0
	}
	n, ok := value.(float64)
	if !ok || n < 0 || n > most || n != float64(int(n)) {
		c.problem(at+"/"+name, "must be a number from 0 to %.0f", most)
	}
	return n
}
