package slacksim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// initialState is what stands in the inputs of blocks before anybody used them.
func initialState(blocks json.RawMessage) State {
	state, _, _ := fill(blocks, nil)
	return state
}

// fill returns what stands in inputs when values were entered, and what Slack says is
// wrong with that, by block_id. Values for inputs that are not there are an error.
func fill(blocks json.RawMessage, values map[string]string) (State, map[string]string, error) {
	state, problems := State{Values: map[string]map[string]any{}}, map[string]string{}
	left := maps.Clone(values)
	for _, block := range readList(blocks) {
		blockID, _ := block["block_id"].(string)
		for _, element := range interactive(block) {
			if element["type"] == "button" || element["type"] == "overflow" {
				continue
			}
			actionID, _ := element["action_id"].(string)
			value, entered := values[blockID+"/"+actionID]
			if !entered {
				value, entered = values[actionID]
			}
			delete(left, actionID)
			delete(left, blockID+"/"+actionID)
			if !entered {
				value = initialValue(element)
			}
			input, problem, err := enter(element, value)
			if err != nil {
				return state, nil, err
			}
			if optional, _ := block["optional"].(bool); value == "" && !optional && block["type"] == "input" {
				problem = "Please complete this required field."
			}
			if problem != "" {
				problems[blockID] = problem
			}
			if state.Values[blockID] == nil {
				state.Values[blockID] = map[string]any{}
			}
			state.Values[blockID][actionID] = input
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		return state, nil, fmt.Errorf("the modal has no input with the action %q", name)
	}
	return state, problems, nil
}

func initialValue(element object) string {
	if element["type"] == "plain_text_input" {
		value, _ := element["initial_value"].(string)
		return value
	}
	var values []string
	for _, option := range initialOptions(element) {
		values = append(values, optionValue(option))
	}
	return strings.Join(values, ",")
}

// enter returns the state of an input with a value, and what Slack says against the
// value.
func enter(element object, value string) (input object, problem string, err error) {
	kind, _ := element["type"].(string)
	input = object{"type": kind}
	if kind == "plain_text_input" {
		input["value"] = nil
		if value != "" {
			input["value"] = value
			problem = tooShortOrLong(element, value)
		}
		return input, problem, nil
	}
	chosen := []object{}
	if value != "" {
		for v := range strings.SplitSeq(value, ",") {
			option, ok := findOption(element, v)
			if !ok {
				return nil, "", fmt.Errorf("the input %q has no option with the value %q", element["action_id"], v)
			}
			chosen = append(chosen, option)
		}
	}
	switch {
	case kind == "checkboxes":
		input["selected_options"] = chosen
	case len(chosen) > 0:
		input["selected_option"] = chosen[0]
	default:
		input["selected_option"] = nil
	}
	return input, "", nil
}

func tooShortOrLong(element object, value string) string {
	n := float64(utf8.RuneCountInString(value))
	if shortest, _ := element["min_length"].(float64); n < shortest {
		return fmt.Sprintf("Please enter at least %.0f characters.", shortest)
	}
	if longest, ok := element["max_length"].(float64); ok && longest > 0 && n > longest {
		return fmt.Sprintf("Please enter at most %.0f characters.", longest)
	}
	return ""
}
