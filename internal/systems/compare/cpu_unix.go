//go:build unix

package compare

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time of the process, its own and that of the system for it.
func cpuTime() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
