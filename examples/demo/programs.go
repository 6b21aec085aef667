package main

import (
	"context"
	"encoding/json"
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
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "WHERE2EAT_LISTEN=" + d.appAddress}
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

// programs are the running worker and service.
type programs struct {
	cancel  context.CancelFunc
	all     []*process.Process
	ended   chan string // the name of one that ended by itself
	logging []*os.File
}

// startPrograms starts the service and the worker, and waits until both answer.
func (d *demo) startPrograms(ctx context.Context) (*programs, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &programs{cancel: cancel, ended: make(chan string, 2)}
	for _, program := range []struct {
		name  string
		args  []string
		ready string
	}{
		{"where2eat", nil, d.appAddress},
		{"worker", []string{"--listen", d.workerAddress}, d.workerAddress},
	} {
		err := p.start(running, d, program.name, program.args)
		if err == nil {
			err = p.wait(ctx, program.name, "http://"+program.ready+"/ready")
		}
		if err != nil {
			p.stop()
			return nil, err
		}
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

// backup runs `starter backup`; its exit code says whether the set is proven.
func (d *demo) backup(ctx context.Context) error {
	return process.Run(ctx, process.Command{
		Path: filepath.Join(d.bin, "starter"), Args: []string{"backup", sandbox.Service}, Env: d.env(), Stdout: d.out, Stderr: os.Stderr,
	})
}

// goodbye says what is there and what to do with it.
func (d *demo) goodbye() {
	fmt.Fprintf(d.out, `
==> all of it is running
  Temporal UI   %s
  Where2Eat     http://%s          (ada@where2eat.example, lunch-is-served)
  worker        http://%s/ready

Try next, in another shell:
  1. see what is in the bucket:      . %[4]s/env && bin/starter sets where2eat
  2. damage it, and see it noticed:  find %[4]s/s3 -name 'notes.*.db.zst.age' | xargs -n1 sh -c 'printf X | dd of="$0" bs=1 seek=500 conv=notrunc status=none'
                                     . %[4]s/env && bin/starter verify where2eat
  3. start a backup from the Temporal UI: Start Workflow, task queue lifeboat, type BackupAndVerify, input {"service":"where2eat"}

Ctrl-C stops all of it.
`, d.sandbox.Temporal.UIURL, d.appAddress, d.workerAddress, folder)
}
