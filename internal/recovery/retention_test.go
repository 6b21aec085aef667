package recovery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var pruneNow = time.Date(2026, 11, 22, 18, 30, 0, 0, time.UTC)

var (
	storedStanding    = recovery.Standing{Level: recovery.LevelStored}
	readBackStanding  = recovery.Standing{Level: recovery.LevelReadBack, Verdict: recovery.Proven}
	restoredStanding  = recovery.Standing{Level: recovery.LevelRestored, Verdict: recovery.Proven}
	provenStanding    = recovery.Standing{Level: recovery.LevelProven, Verdict: recovery.Proven, ProvenAt: pruneNow}
	disprovenStanding = recovery.Standing{Level: recovery.LevelReadBack, Verdict: recovery.Disproven}
	onceProven        = recovery.Standing{Level: recovery.LevelReadBack, Verdict: recovery.Disproven, ProvenAt: pruneNow}
)

// holding is a backup of app that was made so long before pruneNow.
func holding(age time.Duration, standing recovery.Standing) recovery.Holding {
	created := pruneNow.Add(-age)
	return recovery.Holding{
		Set: recovery.NewSetID(created, "ab12cd"), Created: created, Sources: []string{"app"}, Standing: standing, Size: 1000,
	}
}

func prune(t *testing.T, rules recovery.PruneRules, sets []recovery.Holding, inUse map[recovery.SetID]string) []recovery.Fate {
	t.Helper()
	fates, err := recovery.PlanPrune(rules, sets, inUse, pruneNow)
	require.NoError(t, err)
	require.Len(t, fates, len(sets))
	for i, f := range fates {
		require.Equal(t, sets[i].Set, f.Set, "in the order given")
		require.Equal(t, sets[i].Size, f.Size)
		require.NotEmpty(t, f.Why)
	}
	return fates
}

func daily(n int) recovery.PruneRules {
	return recovery.PruneRules{
		Tiers: map[string]recovery.Retention{"app": {Daily: n}}, TimeZone: "UTC", KeepSafety: recovery.Duration(30 * day),
	}
}

const day = 24 * time.Hour

// why is what is said of each set, "-" before those that go.
func why(fates []recovery.Fate) []string {
	said := make([]string, len(fates))
	for i, f := range fates {
		said[i] = strings.Join(f.Why, "; ")
		if !f.Keep {
			said[i] = "- " + said[i]
		}
	}
	return said
}

func TestPruneKeepsTheNewestOfEachPeriod(t *testing.T) {
	sets := []recovery.Holding{
		holding(2*time.Hour, readBackStanding),
		holding(3*time.Hour, readBackStanding),
		holding(day, storedStanding),
		holding(5*day, provenStanding), // the days between have none
		holding(6*day, readBackStanding),
	}
	rules := daily(2)
	rules.Tiers["app"] = recovery.Retention{Daily: 2, Monthly: 1}
	fates := prune(t, rules, sets, nil)
	require.Equal(t, []string{
		"daily: the newest of 2026-11-22 for app; monthly: the newest of 2026-11 for app; the newest set that holds app; the newest good set that holds app; the newest set that was read back",
		"- no tier keeps it",
		"daily: the newest of 2026-11-21 for app",
		"the newest proven set; the newest set that was ever proven; the newest restored set",
		"- no tier keeps it",
	}, why(fates))
	require.Equal(t, recovery.TierMonthly, fates[0].Tier)
	require.Empty(t, fates[0].ClassTier, "it may be restored soon")
	require.Equal(t, recovery.TierDaily, fates[2].Tier)
	require.Equal(t, recovery.TierDaily, fates[2].ClassTier)
	require.Empty(t, fates[3].Tier, "no tier keeps it")
}

func TestPruneInTheZoneOfTheService(t *testing.T) {
	// Both are of the 21st in UTC; in Kathmandu it is the 22nd from 18:15 UTC on.
	sets := []recovery.Holding{holding(4*time.Hour, provenStanding), holding(day, storedStanding), holding(day+time.Hour, storedStanding)}
	rules := daily(2)
	require.Equal(t, []bool{true, true, false}, kept(prune(t, rules, sets, nil)))
	rules.TimeZone = "Asia/Kathmandu"
	require.Equal(t, []bool{true, false, true}, kept(prune(t, rules, sets, nil)))

	rules.TimeZone = "Europe/Atlantis"
	_, err := recovery.PlanPrune(rules, sets, nil, pruneNow)
	require.ErrorContains(t, err, "read time zone: unknown time zone Europe/Atlantis (write a name such as Europe/Berlin)")
	require.Equal(t, recovery.Permanent, recovery.KindOf(err))
}

func kept(fates []recovery.Fate) []bool {
	var all []bool
	for _, f := range fates {
		all = append(all, f.Keep)
	}
	return all
}

func TestPruneHoursThatAreShownTwice(t *testing.T) {
	rules := recovery.PruneRules{Tiers: map[string]recovery.Retention{"app": {Hourly: 2}}, TimeZone: "Europe/Berlin"}
	var sets []recovery.Holding
	for _, at := range []string{"2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+02:00", "2026-10-25T01:30:00+02:00"} {
		sets = append(sets, holding(pruneNow.Sub(moment(t, at)), readBackStanding))
	}
	fates := prune(t, rules, sets, nil)
	require.Equal(t, []bool{true, true, false}, kept(fates))
	require.Equal(t, "hourly: the newest of 2026-10-25 02h +01:00 for app", fates[0].Why[0])
	require.Equal(t, "hourly: the newest of 2026-10-25 02h +02:00 for app", fates[1].Why[0])
}

func TestPruneDisproven(t *testing.T) {
	t.Run("takes no good one's place", func(t *testing.T) {
		sets := []recovery.Holding{
			holding(2*time.Hour, disprovenStanding), // the newest that holds app
			holding(3*time.Hour, readBackStanding),
			holding(day, disprovenStanding), // its day has no other
			holding(2*day, disprovenStanding),
			holding(2*day+time.Hour, readBackStanding),
			holding(3*day, disprovenStanding),
			holding(4*day, readBackStanding),
			holding(5*day, readBackStanding),
		}
		require.Equal(t, []bool{true, true, true, false, true, true, true, false}, kept(prune(t, daily(3), sets, nil)))
	})
	t.Run("no more of them than the tier has", func(t *testing.T) {
		sets := []recovery.Holding{
			holding(day, disprovenStanding), holding(2*day, disprovenStanding), holding(3*day, disprovenStanding),
			holding(4*day, readBackStanding), holding(5*day, readBackStanding), holding(6*day, storedStanding),
		}
		require.Equal(t, []bool{true, true, false, true, true, false}, kept(prune(t, daily(2), sets, nil)))
	})
	t.Run("one that was proven before", func(t *testing.T) {
		sets := []recovery.Holding{holding(2*time.Hour, readBackStanding), holding(5*day, onceProven), holding(6*day, onceProven)}
		fates := prune(t, daily(1), sets, nil)
		require.Equal(t, []string{"the newest set that was ever proven"}, fates[1].Why)
		require.Equal(t, []bool{true, true, false}, kept(fates))
	})
}

func TestPruneNeverRemoves(t *testing.T) {
	newest := holding(2*time.Hour, provenStanding)
	for name, c := range map[string]struct {
		change func(*recovery.Holding)
		inUse  map[recovery.SetID]string
		want   string
	}{
		"nothing speaks for it":     {func(*recovery.Holding) {}, nil, "- no tier keeps it"},
		"in use":                    {func(*recovery.Holding) {}, map[recovery.SetID]string{holding(9*day, storedStanding).Set: "restore/where2eat runs"}, "in use: restore/where2eat runs"},
		"cannot be read":            {func(h *recovery.Holding) { h.Unreadable = "it is not signed" }, nil, "it cannot be read: it is not signed"},
		"young":                     {func(h *recovery.Holding) { h.Created = pruneNow.Add(time.Second - time.Hour); h.Sources = nil }, nil, "younger than an hour"},
		"of tomorrow":               {func(h *recovery.Holding) { h.Created = pruneNow.Add(day); h.Sources = nil }, nil, "younger than an hour"},
		"no longer young":           {func(h *recovery.Holding) { h.Created = pruneNow.Add(-time.Hour); h.Sources = nil }, nil, "- no tier keeps it"},
		"safety backup":             {func(h *recovery.Holding) { h.Purpose = recovery.PurposeSafety }, nil, "safety backup of a restore, younger than 720h"},
		"old safety backup":         {func(h *recovery.Holding) { h.Purpose, h.Created = recovery.PurposeSafety, pruneNow.Add(-30*day) }, nil, "- safety backup of a restore, not younger than 720h"},
		"old set aside":             {func(h *recovery.Holding) { h.Purpose, h.Created = recovery.PurposeSetAside, pruneNow.Add(-31*day) }, nil, "- what a restore had set aside, not younger than 720h"},
		"source without tiers":      {func(h *recovery.Holding) { h.Sources = []string{"app", "files"} }, nil, "files has no retention; the newest set that holds files; the newest good set that holds files"},
		"has a tombstone":           {func(h *recovery.Holding) { h.Pruned, h.Unreadable = true, "it is not there" }, nil, "- it has a tombstone: what is left of it goes"},
		"newest, but has a purpose": {func(h *recovery.Holding) { h.Purpose, h.Created = recovery.PurposeSafety, pruneNow.Add(-time.Minute) }, nil, "younger than an hour; safety backup of a restore, younger than 720h"},
		"the newest is proven":      {func(h *recovery.Holding) { h.Standing = restoredStanding }, nil, "- no tier keeps it"},
	} {
		t.Run(name, func(t *testing.T) {
			h := holding(9*day, storedStanding)
			c.change(&h)
			fates := prune(t, daily(1), []recovery.Holding{newest, h}, c.inUse)
			require.True(t, fates[0].Keep)
			require.Equal(t, c.want, why(fates)[1])
		})
	}
	t.Run("no retention at all", func(t *testing.T) {
		old := holding(60*day, storedStanding)
		old.Purpose = recovery.PurposeSafety
		sets := []recovery.Holding{newest, old, holding(70*day, storedStanding)}
		fates := prune(t, recovery.PruneRules{Tiers: map[string]recovery.Retention{"app": {}}}, sets, nil)
		require.Equal(t, []string{"no source has a retention", "no source has a retention"}, why(fates)[1:])
	})
	t.Run("the newest of each standing", func(t *testing.T) {
		sets := []recovery.Holding{
			holding(2*time.Hour, storedStanding), holding(day, readBackStanding), holding(2*day, readBackStanding),
			holding(3*day, restoredStanding), holding(4*day, restoredStanding), holding(5*day, provenStanding), holding(6*day, provenStanding),
		}
		require.Equal(t, []bool{true, true, false, true, false, true, false}, kept(prune(t, daily(1), sets, nil)))
	})
}

func TestPruneReferences(t *testing.T) {
	app, files := holding(2*time.Hour, provenStanding), holding(3*day, storedStanding)
	again, oldest, old := holding(day, storedStanding), holding(9*day, storedStanding), holding(5*day, storedStanding)
	app.RefersTo, again.RefersTo = []recovery.SetID{files.Set}, []recovery.SetID{files.Set}
	files.RefersTo = []recovery.SetID{oldest.Set, "20200101T000000Z-000000"}
	old.Pruned, old.RefersTo = true, []recovery.SetID{holding(7*day, storedStanding).Set}
	sets := []recovery.Holding{app, again, files, old, holding(7*day, storedStanding), oldest}
	fates := prune(t, daily(2), sets, nil)
	require.Equal(t, []string{
		"daily: the newest of 2026-11-21 for app",
		"2 sets that are kept refer to it, the newest is " + string(app.Set),
		"- it has a tombstone: what is left of it goes",
		"- no tier keeps it",
		string(files.Set) + ", which is kept, refers to it",
	}, why(fates)[1:])
	require.Empty(t, fates[5].ClassTier, "the newest set needs it")

	// A copy that was completed late brought back what a prune had begun to remove.
	files.Pruned = true
	fates = prune(t, daily(2), []recovery.Holding{app, files}, nil)
	require.Equal(t, []string{string(app.Set) + ", which is kept, refers to it"}, fates[1].Why)
	require.True(t, fates[1].Keep)
	files.Pruned = false

	// Without the newest set, the one of the day before is what needs them.
	fates = prune(t, daily(5), []recovery.Holding{holding(2*time.Hour, provenStanding), again, files, oldest, holding(9*day+time.Hour, storedStanding)}, nil)
	require.Equal(t, recovery.TierDaily, fates[3].ClassTier)
	require.Equal(t, []bool{true, true, true, true, false}, kept(fates))
}

func TestPruneTwoYears(t *testing.T) {
	var sets []recovery.Holding
	for age := 2 * time.Hour; len(sets) < 400; {
		standing := storedStanding
		switch n := len(sets); {
		case n == 150:
			standing = provenStanding
		case n%7 == 3:
			standing = disprovenStanding
		case n > 1:
			standing = readBackStanding
		}
		sets = append(sets, holding(age, standing))
		switch {
		case age < 4*day:
			age += time.Hour
		case age < 35*day:
			age += 6 * time.Hour
		default:
			age += 91 * time.Hour
		}
	}
	require.Greater(t, pruneNow.Sub(sets[399].Created), 700*day)
	rules := recovery.PruneRules{
		Tiers:    map[string]recovery.Retention{"app": {Hourly: 24, Daily: 30, Weekly: 8, Monthly: 12, Yearly: 3}},
		TimeZone: "America/New_York",
	}
	fates := prune(t, rules, sets, nil)
	requireOracle(t, rules, sets, nil, fates)
	count := map[string]int{}
	for i, f := range fates {
		for _, why := range f.Why {
			if tier, _, ok := strings.Cut(why, ":"); ok && sets[i].Standing.Verdict != recovery.Disproven {
				count[tier]++
			}
		}
	}
	require.Equal(t, map[string]int{"hourly": 24, "daily": 30, "weekly": 8, "monthly": 12, "yearly": 3}, count)
	require.Equal(t, []string{"the newest proven set", "the newest set that was ever proven", "the newest restored set"}, fates[150].Why)
	require.Equal(t, []string{"no tier keeps it"}, fates[152].Why)
}

func TestPruneRandomHistories(t *testing.T) {
	var removed, referred int
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 4))
		rules, sets, inUse := randomHistory(random)
		fates := prune(t, rules, sets, inUse)
		requireOracle(t, rules, sets, inUse, fates)

		byID := map[recovery.SetID]recovery.Fate{}
		for _, f := range fates {
			byID[f.Set] = f
		}
		for i, f := range fates {
			if !f.Keep {
				removed++
				require.Empty(t, f.Tier+f.ClassTier)
				continue
			}
			if sets[i].Pruned {
				continue // what it refers to is not known any more
			}
			for _, earlier := range sets[i].RefersTo {
				at := slices.IndexFunc(sets, func(h recovery.Holding) bool { return h.Set == earlier })
				require.True(t, at < 0 || fates[at].Keep, "seed %d: %s is kept and refers to %s", seed, f.Set, earlier)
				referred++
			}
		}
		random.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
		for _, f := range prune(t, rules, sets, inUse) {
			require.Equal(t, byID[f.Set], f, "seed %d: whatever the order", seed)
		}
	}
	require.Greater(t, removed, 1000)
	require.Greater(t, referred, 1000)
}

func randomHistory(random *rand.Rand) (recovery.PruneRules, []recovery.Holding, map[recovery.SetID]string) {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	rules := recovery.PruneRules{
		Tiers:      map[string]recovery.Retention{},
		TimeZone:   pick("UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Europe/Berlin"),
		KeepSafety: recovery.Duration(time.Duration(random.IntN(40)) * day),
	}
	for _, source := range []string{"app", "files", "users"} {
		rules.Tiers[source] = recovery.Retention{
			Hourly: random.IntN(4), Daily: random.IntN(4), Weekly: random.IntN(3), Monthly: random.IntN(3), Yearly: random.IntN(3),
		}
	}
	standings := []recovery.Standing{storedStanding, readBackStanding, readBackStanding, restoredStanding, provenStanding, disprovenStanding, disprovenStanding, onceProven}
	inUse := map[recovery.SetID]string{}
	var sets []recovery.Holding
	at, step := pruneNow, []time.Duration{20 * time.Minute, 7 * time.Hour, 9 * day, 70 * day}[random.IntN(4)]
	for i := range random.IntN(60) {
		at = at.Add(-1 - time.Duration(random.Int64N(int64(step))))
		h := recovery.Holding{
			Set: recovery.NewSetID(at, fmt.Sprintf("%06x", i)), Created: at, Size: random.Int64N(1000),
			Standing: standings[random.IntN(len(standings))],
		}
		for _, source := range []string{"app", "files", "users"} {
			if random.IntN(3) > 0 {
				h.Sources = append(h.Sources, source)
			}
		}
		switch random.IntN(20) {
		case 0:
			h.Purpose = recovery.PurposeSafety
		case 1:
			h.Purpose = recovery.PurposeSetAside
		case 2:
			h.Unreadable = "it is not signed"
		case 3:
			h.Pruned = true
		case 4:
			inUse[h.Set] = "a drill runs"
		}
		sets = append(sets, h)
	}
	for i := range sets { // mostly to earlier ones, but a manifest may say anything
		for range random.IntN(2) * random.IntN(3) {
			sets[i].RefersTo = append(sets[i].RefersTo, sets[random.IntN(len(sets))].Set)
		}
	}
	return rules, sets, inUse
}
