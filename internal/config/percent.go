package config

import (
	"regexp"
	"strconv"
	"strings"
)

// Percent is a share that is written with a percent sign: 99.5% is 0.995.
type Percent float64

var percentForm = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]+)?%$`)

// parse reads text; it returns false if that is no percentage above 0 and at most
// 100.
func (p *Percent) parse(text string) bool {
	if !percentForm.MatchString(text) {
		return false
	}
	number, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || number <= 0 || number > 100 {
		return false
	}
	*p = Percent(number / 100)
	return true
}
