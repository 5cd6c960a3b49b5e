//go:build !race

package repaint_test

const raceDetector = false
