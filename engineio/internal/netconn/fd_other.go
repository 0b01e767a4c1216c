//go:build !unix

package netconn

// canPoll says whether connections can be read and written without blocking.
const canPoll = false

func readFD(uintptr, []byte) (int, bool, error)  { panic("netconn: no polling on this system") }
func writeFD(uintptr, []byte) (int, bool, error) { panic("netconn: no polling on this system") }
