package config

import "github.com/lifeboat-run/lifeboat/internal/recovery"

// Commands change how a service runs.
type Commands struct {
	Dir            string            `yaml:"dir" jsonschema_description:"Where the commands are started; the service's dir by default."`
	Stop           []string          `yaml:"stop" private:"true" jsonschema_description:"Stops the service, and returns once it is stopped; given together with start. It may be run again."`
	Start          []string          `yaml:"start" private:"true" jsonschema_description:"Starts the service, and returns. It may be run again."`
	MaintenanceOn  []string          `yaml:"maintenanceOn" private:"true" jsonschema_description:"Shows a maintenance page instead of the service; given together with maintenanceOff."`
	MaintenanceOff []string          `yaml:"maintenanceOff" private:"true" jsonschema_description:"Shows the service again."`
	Timeout        recovery.Duration `yaml:"timeout" jsonschema_description:"For each command; 2m by default."`
}

// Live says how the running service is seen to be well.
type Live struct {
	BaseURL string            `yaml:"baseURL" jsonschema:"required" jsonschema_description:"Where the running service answers, such as https://where2eat.example."`
	Ready   string            `yaml:"ready" jsonschema_description:"Path that answers 200 when the service is well, such as /ready; / by default."`
	Timeout recovery.Duration `yaml:"timeout" jsonschema_description:"For the service to be well, and again for the journey; 60s by default."`
	Journey []JourneyStep     `yaml:"journey" jsonschema_description:"Requests that are made one after the other; those of smoke by default, none if the list is empty."`
}

// setDefaults fills in what may be left out.
func (l *Live) setDefaults(smoke *Smoke) {
	fill(&l.Ready, "/")
	fill(&l.Timeout, minute)
	switch {
	case l.Journey != nil:
		journeyDefaults(l.Journey)
	case smoke != nil:
		l.Journey = smoke.Journey
	}
}

func (l *Live) spec() *recovery.LiveSpec {
	if l == nil {
		return nil
	}
	return &recovery.LiveSpec{BaseURL: l.BaseURL, Ready: l.Ready, Timeout: l.Timeout, Journey: journeySpec(l.Journey)}
}

func journeySpec(steps []JourneyStep) []recovery.JourneyStep {
	var spec []recovery.JourneyStep
	for _, step := range steps {
		spec = append(spec, recovery.JourneyStep(step))
	}
	return spec
}
