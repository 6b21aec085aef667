package config

import "strings"

// suggest says what was probably meant by an unknown name.
func suggest(name string, known []string) string {
	if meant := nearest(name, known); meant != "" {
		return `did you mean "` + meant + `"?`
	}
	if len(known) == 0 {
		return "nothing is known here"
	}
	return "known here: " + strings.Join(known, ", ")
}

// nearest returns the known name that differs from name in at most two letters,
// empty if there is none.
func nearest(name string, known []string) string {
	best, least := "", 3
	for _, candidate := range known {
		if n := distance(strings.ToLower(name), strings.ToLower(candidate)); n < least && n < len(candidate) {
			best, least = candidate, n
		}
	}
	return best
}

// distance counts the letters to add, drop or change to get from a to b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
