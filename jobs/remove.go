package jobs

// RemoveRequest erases a finished job and everything that it left. A job that has not finished is refused with code
// conflict.
type RemoveRequest struct {
	ID ID `json:"id"`
}

// UnmarshalJSON decodes a request from a client; what the client does not say stays as it is. The error is a *Problem
// with code bad_request that points at every wrong field.
func (r *RemoveRequest) UnmarshalJSON(data []byte) error {
	return fields{"id": &r.ID}.decode(data, nil)
}

// Check holds the request against the contract's limits. The error is a *Problem.
func (r *RemoveRequest) Check() error {
	if !r.ID.Valid() {
		return BadRequest("/id", wrongID)
	}
	return nil
}
