//go:build linux && !386 && !s390x

package compare

import (
	"encoding/binary"
	"syscall"
	"unsafe"
)

// canCount says whether bytesOf works here.
const canCount = true

// Where the counters are in Linux's struct tcp_info (linux/tcp.h), which only ever grows at its end.
const (
	infoReceived = 128 // tcpi_bytes_received
	infoSent     = 200 // tcpi_bytes_sent
	infoAgain    = 208 // tcpi_bytes_retrans
	infoSize     = 216
)

// bytesOf returns the bytes that the TCP connection has received and sent, each once. The peer's FIN counts as
// one.
func bytesOf(raw syscall.RawConn) (in, out int64, ok bool) {
	var info [infoSize]byte
	err := raw.Control(func(fd uintptr) {
		size := uint32(len(info))
		_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		ok = errno == 0 && size == infoSize
	})
	if err != nil || !ok {
		return 0, 0, false
	}
	at := func(offset int) int64 { return int64(binary.NativeEndian.Uint64(info[offset:])) }
	return at(infoReceived), at(infoSent) - at(infoAgain), true
}
