//go:build unix

package app

import (
	"math"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxDescriptors is how many descriptors this process may have.
func maxDescriptors() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // on FreeBSD it has a sign
}

// descriptors are a connection's descriptor, and the one that what is opened next will get.
func descriptors(c net.Conn) (taken, next int) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return 0, 0
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, 0
	}
	_ = raw.Control(func(fd uintptr) { // unless it is closed, when there is nothing to know
		taken = int(fd)
		if next, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			next = math.MaxInt // there is none
			return
		}
		_ = unix.Close(next) // it was open for a moment, and nothing was written
	})
	return taken, next
}
