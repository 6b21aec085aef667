package recovery

import (
	"cmp"
	"slices"
)

// Stock is what a destination keeps of a service, to be priced.
type Stock struct {
	Destination string
	Fates       []Fate // with sizes, from PlanPrune
	// Objects holds the sealed bytes of each set by storage class, as the destination
	// lists them; a set that is not in it is of its Fate's size, and of class "".
	Objects map[SetID]map[string]int64
	// Class is the class of new objects; "" in Objects means the same.
	Class string
	// Price is that of the class of new objects, Prices are those of classes, in the
	// config's currency per GB (10⁹ bytes) and month; nil and absent: not known.
	Price  *float64
	Prices map[string]float64
}

// Cost is what sets weigh and cost.
type Cost struct {
	Lines    []CostLine `json:"lines"`
	PerMonth float64    `json:"perMonth"` // of the lines that have a price
	Unpriced int64      `json:"unpriced"` // bytes of the lines that have none
}

// CostLine is what the sets of one tier weigh and cost in one class.
type CostLine struct {
	Destination string `json:"destination"`
	// Tier is the longest that keeps the sets, "" if only other rules do. Leaving
	// sets are kept by nothing and cost until they are removed.
	Tier     string   `json:"tier"`
	Leaving  bool     `json:"leaving,omitempty"`
	Class    string   `json:"class"`
	Sets     int      `json:"sets"`
	Bytes    int64    `json:"bytes"`
	Price    *float64 `json:"price"`    // per GB and month, null: no price is known
	PerMonth *float64 `json:"perMonth"` // null: no price is known
}

// costPlace tells lines apart.
type costPlace struct {
	leaving bool
	tier    string
	class   string
}

// MonthlyCost prices what lies at destinations, in their order: by tier, the
// shortest first, then what other rules keep, then what is leaving.
func MonthlyCost(stocks []Stock) Cost {
	cost := Cost{Lines: []CostLine{}}
	for _, s := range stocks {
		for _, line := range s.lines() {
			line.Price = s.price(line.Class)
			if line.Price == nil {
				cost.Unpriced += line.Bytes
			} else {
				perMonth := float64(line.Bytes) / 1e9 * *line.Price
				line.PerMonth = &perMonth
				cost.PerMonth += perMonth
			}
			cost.Lines = append(cost.Lines, line)
		}
	}
	return cost
}

// lines weighs the sets.
func (s *Stock) lines() []CostLine {
	at := map[costPlace]*CostLine{}
	for _, f := range s.Fates {
		objects, ok := s.Objects[f.Set]
		if !ok {
			objects = map[string]int64{"": f.Size}
		}
		own := map[string]int64{} // by class, the default one by its name
		for class, size := range objects {
			own[cmp.Or(class, s.Class)] += size
		}
		for class, size := range own {
			place := costPlace{!f.Keep, f.Tier, class}
			if at[place] == nil {
				at[place] = &CostLine{Destination: s.Destination, Tier: f.Tier, Leaving: !f.Keep, Class: class}
			}
			at[place].Sets++
			at[place].Bytes += size
		}
	}
	lines := make([]CostLine, 0, len(at))
	for _, line := range at {
		lines = append(lines, *line)
	}
	slices.SortFunc(lines, func(a, b CostLine) int {
		return cmp.Or(a.order()-b.order(), cmp.Compare(a.Class, b.Class))
	})
	return lines
}

// order is the tier's number, more for what no tier keeps, and most for what leaves.
func (l *CostLine) order() int {
	tiers := (Retention{}).tiers()
	i := slices.IndexFunc(tiers, func(t tier) bool { return t.name == l.Tier })
	switch {
	case l.Leaving:
		return len(tiers) + 1
	case i < 0:
		return len(tiers)
	}
	return i
}

// price finds what a class costs, nil if that is not known.
func (s *Stock) price(class string) *float64 {
	if price, ok := s.Prices[class]; ok {
		return &price
	}
	if class == s.Class {
		return s.Price
	}
	return nil
}
