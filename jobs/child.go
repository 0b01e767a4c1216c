package jobs

// MaxChildName bounds the name that a worker gives a child, in characters.
const MaxChildName = 128

// Children are how many children a job has, by their states.
type Children struct {
	Total     int `json:"total"`
	Scheduled int `json:"scheduled"`
	Queued    int `json:"queued"`
	Running   int `json:"running"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

// Count returns how many children are in a state; it is nil for what is no state.
func (c *Children) Count(s State) *int {
	switch s {
	case Scheduled:
		return &c.Scheduled
	case Queued:
		return &c.Queued
	case Running:
		return &c.Running
	case Completed:
		return &c.Completed
	case Failed:
		return &c.Failed
	case Cancelled:
		return &c.Cancelled
	}
	return nil
}

// DataChild is the data of a job.child event: of the parent's log. Of many changes within a short time only the
// numbers are told.
type DataChild struct {
	Children Children `json:"children"`
	Child    *Child   `json:"child,omitempty"` // the one that has changed
}

// Child is what a parent's watchers learn of one child.
type Child struct {
	ID    ID     `json:"id"`
	Name  string `json:"name,omitempty"` // unique among the children of the job, 1 to 128 characters; none if a page has started it
	State State  `json:"state"`
	Kind  string `json:"kind"`
	Title string `json:"title,omitempty"`
}
