package grid

import "strconv"

// Whole writes a number without decimals, with commas.
func Whole(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Figure writes a number of 0 or more with three digits, or all of those before the point.
func Figure(v float64) string {
	switch {
	case v < 0.9995:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return Whole(v)
}

// Known writes a figure, or a dash for 0, which is one that isn't known.
func Known(v float64) string {
	if v == 0 {
		return "–"
	}
	return Figure(v)
}

// Short writes a ratio in four characters at most, if it is below 1,000.
func Short(v float64) string {
	switch {
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.5:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return Whole(v)
}
