package status

// DryRun asks what a pass would do now. Nothing is changed by it, and a pass may well
// run beside it.
type DryRun struct {
	Device     string   `json:"device,omitempty"` // empty: all
	Policy     *int     `json:"policy,omitempty"` // by index; nil: all
	Partitions []uint32 `json:"partitions,omitempty"`
	Limit      int      `json:"limit,omitempty"` // of the partitions of each device; 0: 100
}

// Limits of the partitions of each device that a dry run looks at.
const (
	DryRunLimit = 100
	DryRunMost  = 10000
)
