package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-run/lifeboat/workflows"
)

// PlanSchedules compares what is wanted with what Temporal has.
func PlanSchedules(ctx context.Context, c client.Client, want []Schedule) ([]ScheduleStep, error) {
	var ids []string
	for _, w := range want {
		ids = append(ids, w.ID)
	}
	found, err := findSchedules(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	return CompareSchedules(want, found)
}

// ListSchedules returns the schedules that Lifeboat made, by id.
func ListSchedules(ctx context.Context, c client.Client) ([]FoundSchedule, error) {
	found, err := findSchedules(ctx, c, nil)
	return slices.DeleteFunc(found, func(f FoundSchedule) bool { return !f.ours() }), err
}

// findSchedules describes the schedules of these ids and all others that have the
// prefix. They are asked for by id because a list may lag behind.
func findSchedules(ctx context.Context, c client.Client, ids []string) ([]FoundSchedule, error) {
	ids = slices.Clone(ids)
	listed, err := c.ScheduleClient().List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	for listed.HasNext() {
		entry, err := listed.Next()
		if err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		if strings.HasPrefix(entry.ID, workflows.SchedulePrefix) {
			ids = append(ids, entry.ID)
		}
	}
	slices.Sort(ids)
	var found []FoundSchedule
	for _, id := range slices.Compact(ids) {
		d, err := describeSchedule(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if d != nil {
			found = append(found, FoundSchedule{ID: id, ScheduleDescription: d})
		}
	}
	return found, nil
}

// describeSchedule returns nil for a schedule that is not there.
func describeSchedule(ctx context.Context, c client.Client, id string) (*client.ScheduleDescription, error) {
	d, err := c.ScheduleClient().GetHandle(ctx, id).Describe(ctx)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at schedule %s: %w", id, err)
	}
	return d, nil
}

// ApplySchedules carries steps out, in their order, until one fails. It returns how
// many were carried out; the same plan made anew holds the rest.
func ApplySchedules(ctx context.Context, c client.Client, steps []ScheduleStep) (int, error) {
	for i, step := range steps {
		if err := applyStep(ctx, c.ScheduleClient(), step); err != nil {
			return i, fmt.Errorf("%s schedule %s: %w", step.Do, step.ID, err)
		}
	}
	return len(steps), nil
}

func applyStep(ctx context.Context, schedules client.ScheduleClient, step ScheduleStep) error {
	switch step.Do {
	case ScheduleCreate:
		return createSchedule(ctx, schedules, step.want)
	case ScheduleChange:
		return schedules.GetHandle(ctx, step.ID).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(now client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				return updateSchedule(step.want, now.Description)
			},
		})
	case ScheduleRemove:
		err := schedules.GetHandle(ctx, step.ID).Delete(ctx)
		if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
			return nil
		}
		return err
	}
	return nil
}

func createSchedule(ctx context.Context, schedules client.ScheduleClient, s *Schedule) error {
	_, err := schedules.Create(ctx, client.ScheduleOptions{
		ID: s.ID, Spec: *s.Body.Spec, Action: s.Body.Action, Memo: s.memo(), Note: s.Body.State.Note,
		Overlap: s.Body.Policy.Overlap, CatchupWindow: s.Body.Policy.CatchupWindow, PauseOnFailure: s.Body.Policy.PauseOnFailure,
	})
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return errors.New("somebody made it in the meantime: plan again")
	}
	return err
}

// updateSchedule makes a schedule what it should be, but leaves it paused if it is: a
// pause is a person's decision.
func updateSchedule(s *Schedule, now client.ScheduleDescription) (*client.ScheduleUpdate, error) {
	if !(FoundSchedule{ID: s.ID, ScheduleDescription: &now}).ours() {
		return nil, errors.New("somebody replaced it in the meantime: plan again")
	}
	body, state := s.Body, *s.Body.State
	if now.Schedule.State.Paused {
		state.Paused, state.Note = true, now.Schedule.State.Note
	}
	body.State = &state
	return &client.ScheduleUpdate{Schedule: &body}, nil
}

// NextRun returns when a schedule runs next, jitter included; false if there is no
// such schedule, or it is paused.
func NextRun(ctx context.Context, c client.Client, id string) (time.Time, bool, error) {
	d, err := describeSchedule(ctx, c, id)
	if err != nil || d == nil {
		return time.Time{}, false, err
	}
	next, ok := FoundSchedule{ID: id, ScheduleDescription: d}.Next()
	return next, ok, nil
}
