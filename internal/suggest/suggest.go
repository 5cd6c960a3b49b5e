// Package suggest finds the name that a caller may have meant who wrote an unknown one.
package suggest

import "strings"

// Closest returns the known name that is most like the given one: spelled in another style
// (camelCase, underscores), or with one or two letters missing, added or changed. It returns "" if
// there is none.
func Closest(name string, known []string) string {
	best, least := "", 3
	plain := loose(name)
	for _, k := range known {
		if l := loose(k); l == plain {
			return k
		} else if d := distance(plain, l); d < least && d*3 <= len(l) {
			best, least = k, d
		}
	}
	return best
}

func loose(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

// distance returns how many letters must be inserted, deleted or changed to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // the value above and one to the left
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			changed := before
			if a[i] != b[j] {
				changed++
			}
			row[j+1] = min(changed, above+1, row[j]+1)
			before = above
		}
	}
	return row[len(b)]
}
