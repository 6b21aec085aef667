package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-run/lifeboat/internal/process"
	"github.com/lifeboat-run/lifeboat/internal/sandbox"
)

// demo is what the demo knows of its parts.
type demo struct {
	sandbox       *sandbox.Sandbox
	bin           string // holds the programs
	out           io.Writer
	appAddress    string
	workerAddress string
}

// env is the environment of the programs.
func (d *demo) env() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for name, value := range d.sandbox.Env() {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// writeEnv writes .demo/env, for other shells.
func (d *demo) writeEnv() error {
	lines := []string{"# . .demo/env makes bin/starter, temporal, psql and S3 clients talk to the demo."}
	env := d.sandbox.Env()
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = d.sandbox.S3.AccessKey, d.sandbox.S3.SecretKey
	env["AWS_ENDPOINT_URL"], env["AWS_REGION"] = d.sandbox.S3.Endpoint, d.sandbox.S3.Region
	env["KEY"] = d.sandbox.KeyFile()
	for name, value := range env {
		lines = append(lines, fmt.Sprintf("export %s='%s'", name, strings.ReplaceAll(value, "'", `'\''`)))
	}
	tools := filepath.Join(filepath.Dir(d.bin), ".tools", "bin")
	lines = append(lines, fmt.Sprintf(`export PATH='%s':"$PATH"`, tools))
	slices.Sort(lines[1:])
	if err := os.WriteFile(filepath.Join(folder, "env"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("write environment: %w", err)
	}
	return nil
}

// stopService stops Where2Eat when the demo ends.
func (d *demo) stopService() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := d.sandbox.StopService(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
}

// programs are the running programs of the demo.
type programs struct {
	cancel  context.CancelFunc
	all     []*process.Process
	ended   chan string // the name of one that ended by itself
	logging []*os.File
}

// startPrograms starts the service and the worker, and waits until both answer. The
// service runs by itself, because a restore stops and starts it.
func (d *demo) startPrograms(ctx context.Context) (*programs, error) {
	if err := errors.Join(d.sandbox.Serve(d.appAddress), d.sandbox.WriteConfig()); err != nil {
		return nil, err
	}
	if err := d.sandbox.StartService(ctx); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &programs{cancel: cancel, ended: make(chan string, 2)}
	err := p.start(running, d, "worker", []string{"--listen", d.workerAddress})
	if err == nil {
		err = p.wait(ctx, "where2eat", "http://"+d.appAddress+"/ready")
	}
	if err == nil {
		err = p.wait(ctx, "worker", "http://"+d.workerAddress+"/ready")
	}
	if err != nil {
		p.stop()
		d.stopService()
		return nil, err
	}
	return p, nil
}

func (p *programs) start(ctx context.Context, d *demo, name string, args []string) error {
	log, err := os.Create(filepath.Join(folder, name+".log"))
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p.logging = append(p.logging, log)
	started, err := process.Start(ctx, process.Command{
		Path: filepath.Join(d.bin, name), Args: args, Env: d.env(), Stdout: log, Stderr: log, Grace: 30 * time.Second,
	})
	if err != nil {
		return err
	}
	p.all = append(p.all, started)
	go func() {
		<-started.Done()
		p.ended <- name
	}()
	return nil
}

// wait asks /ready until it says yes.
func (p *programs) wait(ctx context.Context, name, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if ready(ctx, url) {
			return nil
		}
		select {
		case <-ticker.C:
		case ended := <-p.ended:
			return fmt.Errorf("%s ended by itself: see %s/%s.log", ended, folder, ended)
		case <-ctx.Done():
			return fmt.Errorf("%s does not get ready: see %s/%s.log", name, folder, name)
		}
	}
}

func ready(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode == http.StatusOK && json.NewDecoder(response.Body).Decode(new(any)) == nil
}

func (p *programs) stop() {
	p.cancel()
	for _, running := range p.all {
		_ = running.Wait() // they were told to stop: how they take that is in their logs
	}
	for _, log := range p.logging {
		_ = log.Close()
	}
}

// starter runs the CLI; its exit code says whether all is well.
func (d *demo) starter(ctx context.Context, args ...string) error {
	return process.Run(ctx, process.Command{
		Path: filepath.Join(d.bin, "starter"), Args: args, Env: d.env(), Stdout: d.out, Stderr: os.Stderr,
	})
}

// drillOnce runs a drill to its end and approves it as Sam, by a click on its card.
func (d *demo) drillOnce(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if err := d.approve(ctx); err != nil {
			cancel(err)
		}
	}()
	if err := d.starter(ctx, "drill", sandbox.Service); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}

// approve clicks on the button of the first card that has one.
func (d *demo) approve(ctx context.Context) error {
	slack, card := d.sandbox.Slack, ""
	err := slack.Wait(ctx, func() bool {
		for _, m := range slack.Messages() {
			if strings.Contains(string(m.Blocks), `"action_id":"`+approveAction+`"`) {
				card = m.TS
			}
		}
		return card != ""
	})
	if err != nil {
		return err
	}
	return slack.Click(sam, card, approveAction)
}

const (
	approveAction = "approve"
	sam           = "U0SAM"
)

// goodbye says what is there and what to do with it.
func (d *demo) goodbye() {
	fmt.Fprintf(d.out, `
==> all of it is running
  Slack, a stand-in   %s
  Temporal UI         %s
  Where2Eat           http://%s          (ada@where2eat.example, lunch-is-served)
  worker              http://%s/ready

A restore drill waits for a decision. Be Sam in the Slack page and click on "Start the drill", or run
                                     . %[5]s/env && bin/starter pending
                                     bin/starter decide RUN approve --as sam

Try next, in another shell:
  1. see what is in the buckets:     . %[5]s/env && bin/starter sets where2eat
                                     bin/starter check where2eat        (what is well, what is not, and what to do)
  2. damage it, and see it noticed:  find %[5]s/s3 -name 'notes.*.db.zst.age' | xargs -n1 sh -c 'printf X | dd of="$0" bs=1 seek=500 conv=notrunc status=none'
                                     . %[5]s/env && bin/starter verify where2eat
  3. drop a table, and get it back:  psql "$WHERE2EAT_DATABASE_URL" -c 'drop table visits cascade'
                                     bin/starter restore where2eat --source app        (or /lifeboat restore in the Slack page)
  4. start a backup from the Temporal UI: Start Workflow, task queue lifeboat, type BackupAndVerify, input {"service":"where2eat"}

Ctrl-C stops all of it.
`, d.sandbox.Slack.URL, d.sandbox.Temporal.UIURL, d.appAddress, d.workerAddress, folder)
}
