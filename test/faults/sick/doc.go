// Package sick makes disks and peers ill, for tests of what lives with them: XFS
// disks that die, freeze, fill up or are unmounted, a FUSE disk that hangs or fails
// at will, and a proxy that cuts connections. All of it is the kernel's own: mount
// points, loop devices and system calls that really do not return. It needs root.
//
// A test binary hands its TestMain to Main, which runs the tests in a mount namespace
// of their own, so that nothing of it is left behind or seen by anybody else.
package sick
