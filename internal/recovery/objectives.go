package recovery

import "time"

// Objectives are what a service's owner has promised.
type Objectives struct {
	Availability float64  `json:"availability"` // 0.995 for 99.5 %
	RTO          Duration `json:"rto"`          // longest time to be back
	RPO          Duration `json:"rpo"`          // longest time whose data may be lost
}

// Measure is one figure against its objective.
type Measure struct {
	Objective Duration `json:"objective"`
	Actual    Duration `json:"actual"`
	Met       bool     `json:"met"`
}

// NewMeasure compares actual with objective; a figure that was not measured is
// expressed by leaving the Measure out.
func NewMeasure(objective Duration, actual time.Duration) *Measure {
	rounded := Duration(max(actual, 0).Round(10 * time.Millisecond))
	return &Measure{Objective: objective, Actual: rounded, Met: rounded <= objective}
}

// Margin says by how much the objective was met (positive) or missed (negative).
func (m Measure) Margin() Duration { return m.Objective - m.Actual }
