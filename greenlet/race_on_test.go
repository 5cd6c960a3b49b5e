//go:build race

package greenlet_test

const raceDetector = true
