//go:build !unix

package engineio

// canPoll says whether connections can be read and written without blocking.
const canPoll = false

func readFD(uintptr, []byte) (int, bool, error)  { panic("engineio: no polling on this system") }
func writeFD(uintptr, []byte) (int, bool, error) { panic("engineio: no polling on this system") }
