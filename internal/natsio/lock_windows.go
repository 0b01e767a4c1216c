package natsio

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes the lock of a directory, or returns ErrInUse: it opens the file such that nobody else
// can. The kernel closes it when the process ends, however it ends.
func lockFile(name string) (*os.File, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, &os.PathError{Op: "lock", Path: name, Err: err}
	}
	const notShared = 0
	h, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, notShared, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err == nil {
		return os.NewFile(uintptr(h), name), nil
	}
	const sharingViolation = syscall.Errno(32)
	if errors.Is(err, sharingViolation) {
		return nil, ErrInUse
	}
	return nil, &os.PathError{Op: "lock", Path: name, Err: err}
}
