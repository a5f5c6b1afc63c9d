//go:build race

package remoteapi

const raceDetector = true
