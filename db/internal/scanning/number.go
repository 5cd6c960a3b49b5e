package scanning

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/db/internal/telling"
)

// assignNumber converts src to a number. If a variable can't hold the number, it returns an error
// and never stores another number:
//
//   - An integer takes integers within its bounds, and floats and decimals that have no fraction:
//     5000000.0 is an integer, 0.5 is none.
//   - A float takes integers that it can hold exactly. Fractions are rounded, as there is no other
//     way; the whole number before the point isn't.
func assignNumber(v reflect.Value, src any) (err error) {
	switch {
	case v.CanInt():
		var i int64
		if i, err = toInt(src); err == nil && v.OverflowInt(i) {
			err = outOfRange(src)
		}
		if err == nil {
			v.SetInt(i)
		}
	case v.CanUint():
		var u uint64
		if u, err = toUint(src); err == nil && v.OverflowUint(u) {
			err = outOfRange(src)
		}
		if err == nil {
			v.SetUint(u)
		}
	default:
		var f float64
		if f, err = toFloat(src, v.Type().Bits()); err == nil {
			v.SetFloat(f)
		}
	}
	return err
}

func toInt(src any) (int64, error) {
	switch s := src.(type) {
	case int64:
		return s, nil
	case float64:
		switch {
		case s != math.Trunc(s): // NaN, too
			return 0, hasFraction(src)
		case s < math.MinInt64 || s >= -math.MinInt64:
			return 0, outOfRange(src)
		}
		return int64(s), nil
	case string:
		src = wholeOf(s)
	case []byte:
		src = wholeOf(string(s))
	}
	return convert[int64](src)
}

func toUint(src any) (uint64, error) {
	switch s := src.(type) {
	case uint64:
		return s, nil
	case int64:
		if s < 0 {
			return 0, outOfRange(src)
		}
		return uint64(s), nil
	case float64:
		switch {
		case s != math.Trunc(s):
			return 0, hasFraction(src)
		case s < 0 || s >= 2*-math.MinInt64:
			return 0, outOfRange(src)
		}
		return uint64(s), nil
	case string:
		src = wholeOf(s)
	case []byte:
		src = wholeOf(string(s))
	}
	return convert[uint64](src)
}

// wholeOf returns the integer that a decimal such as 12.0000 stands for. It returns any other text
// unchanged.
func wholeOf(text string) string {
	whole, fraction, ok := strings.Cut(text, ".")
	if ok && whole != "" && fraction != "" && strings.Trim(fraction, "0") == "" {
		return whole
	}
	return text
}

func toFloat(src any, bits int) (float64, error) {
	switch s := src.(type) {
	case int64:
		f := float64(s)
		if bits == 32 {
			f = float64(float32(s))
		}
		if f >= -math.MinInt64 || int64(f) != s {
			return 0, inexact(src, bits)
		}
		return f, nil
	case uint64:
		f := float64(s)
		if bits == 32 {
			f = float64(float32(s))
		}
		if f >= 2*-math.MinInt64 || uint64(f) != s {
			return 0, inexact(src, bits)
		}
		return f, nil
	case float64:
		if bits == 32 {
			return narrowed(s)
		}
		return s, nil
	}
	f, err := convert[float64](src)
	if err != nil {
		return 0, err
	}
	if bits == 32 && math.Abs(f) > math.MaxFloat32 && !math.IsInf(f, 0) {
		return 0, outOfRange(src)
	}
	text, ok := src.(string)
	if b, isBytes := src.([]byte); isBytes {
		text, ok = string(b), true
	}
	if ok && !holds(text, bits) {
		return 0, inexact(src, bits)
	}
	return f, nil
}

// exactFloat is the bound up to which a float64 counts in steps of at most one. Below it, the whole
// part may be a number that was counted. A number above it is already an approximation.
const exactFloat = 1 << 53

// narrowed returns a float rounded to a float32, or an error if it is out of range or the rounding
// changes its whole part.
func narrowed(f float64) (float64, error) {
	n := float64(float32(f))
	switch {
	case math.IsInf(n, 0) && !math.IsInf(f, 0), n == 0 && f != 0:
		return 0, outOfRange(f)
	case math.Abs(f) <= exactFloat && math.Abs(n-f) >= 1:
		return 0, inexact(f, 32)
	}
	return n, nil
}

// holds reports whether a float with the given number of bits can hold the whole part of a number.
// If the text doesn't write out all its digits, the number is an approximation, which any float can
// hold.
func holds(text string, bits int) bool {
	text = strings.TrimLeft(text, "+-0")
	whole, fraction, _ := strings.Cut(text, ".")
	if !isDigits(whole) || !isDigits(fraction) {
		return true // 1e30, NaN: an approximation
	}
	if len(whole) <= 7 || bits == 64 && len(whole) <= 15 {
		return true
	}
	exact, ok := new(big.Int).SetString(whole, 10)
	if !ok {
		return true
	}
	accuracy := big.Exact
	if bits == 32 {
		_, accuracy = new(big.Float).SetInt(exact).Float32()
	} else {
		_, accuracy = new(big.Float).SetInt(exact).Float64()
	}
	return accuracy == big.Exact
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

func outOfRange(src any) error {
	return fmt.Errorf("%s %s: value out of range", valueName(src), telling.Value(src))
}

func hasFraction(src any) error {
	return fmt.Errorf("%s %s: it is no integer", valueName(src), telling.Value(src))
}

// inexact returns the error for a number that would turn into another.
func inexact(src any, bits int) error {
	why := errors.New("a float64 would lose precision; scan it into an integer, or a string")
	if bits == 32 {
		why = errors.New("a float32 would lose precision; scan it into a float64, an integer, or a string")
	}
	return fmt.Errorf("%s %s: %w", valueName(src), shortNumber(src), why)
}

// shortNumber writes a float with all its digits.
func shortNumber(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return telling.Value(v)
}
