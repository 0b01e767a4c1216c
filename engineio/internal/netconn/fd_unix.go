//go:build unix

package netconn

import (
	"io"
	"syscall"
)

// canPoll says whether connections can be read and written without blocking.
const canPoll = true

// readFD reads once; again means that there is nothing to read.
func readFD(fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, true, nil
		case err != nil:
			return 0, false, err
		case n == 0:
			return 0, false, io.EOF
		}
		return n, false, nil
	}
}

// writeFD writes once; again means that the peer takes nothing.
func writeFD(fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Write(int(fd), p)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, true, nil
		case nil:
			return n, false, nil
		}
		return 0, false, err
	}
}
