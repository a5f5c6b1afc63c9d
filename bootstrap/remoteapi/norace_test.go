//go:build !race

package remoteapi

const raceDetector = false
