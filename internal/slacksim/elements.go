package slacksim

import (
	"encoding/json"
)

// readList decodes blocks that were checked before.
func readList(blocks json.RawMessage) []object {
	var list []object
	_ = json.Unmarshal(blocks, &list)
	return list
}

// interactive lists the elements of a block that a person can use.
func interactive(block object) []object {
	var list []object
	add := func(value any) {
		if element, ok := value.(object); ok && element["type"] != "image" {
			list = append(list, element)
		}
	}
	switch block["type"] {
	case "actions":
		elements, _ := block["elements"].([]any)
		for _, element := range elements {
			add(element)
		}
	case "section":
		add(block["accessory"])
	case "input":
		add(block["element"])
	}
	return list
}

// target names an element, and what is chosen of it.
type target struct {
	Block  string `json:"blockId"` // may be empty: the first element with the action
	Action string `json:"actionId"`
	Value  string `json:"value"` // of the button that is meant, or of the option that is chosen
}

// find returns the element that t names with its block_id. The option is nil for a
// button.
func (t target) find(blocks json.RawMessage) (blockID string, element, option object, ok bool) {
	for _, block := range readList(blocks) {
		blockID, _ = block["block_id"].(string)
		if t.Block != "" && t.Block != blockID {
			continue
		}
		for _, element := range interactive(block) {
			if element["action_id"] != t.Action {
				continue
			}
			if element["type"] == "button" {
				if t.Value == "" || t.Value == element["value"] {
					return blockID, element, nil, true
				}
				continue
			}
			if option, ok := findOption(element, t.Value); ok {
				return blockID, element, option, true
			}
		}
	}
	return "", nil, nil, false
}

// options lists the options of an element, those in groups too.
func options(element object) []object {
	list := objects(element["options"])
	for _, group := range objects(element["option_groups"]) {
		list = append(list, objects(group["options"])...)
	}
	return list
}

// objects returns those of a list's items that are objects.
func objects(value any) []object {
	items, _ := value.([]any)
	var list []object
	for _, item := range items {
		if o, ok := item.(object); ok {
			list = append(list, o)
		}
	}
	return list
}

func optionValue(option object) string {
	value, _ := option["value"].(string)
	return value
}

func findOption(element object, value string) (object, bool) {
	for _, option := range options(element) {
		if optionValue(option) == value {
			return option, true
		}
	}
	return nil, false
}

func initialOptions(element object) []object {
	if option, ok := element["initial_option"].(object); ok {
		return []object{option}
	}
	return objects(element["initial_options"])
}

// clicked describes in an interaction's payload what was used.
func clicked(blockID string, element, option object, ts string) object {
	action := object{"type": element["type"], "block_id": blockID, "action_id": element["action_id"], "action_ts": ts}
	switch element["type"] {
	case "button":
		action["text"] = element["text"]
		if value, ok := element["value"]; ok {
			action["value"] = value
		}
	case "checkboxes":
		action["selected_options"] = []object{option}
	default:
		action["selected_option"] = option
	}
	return action
}
