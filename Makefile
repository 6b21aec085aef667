# What a person or CI does here. 'make' alone lists it.

export PATH := $(CURDIR)/.tools/bin:$(PATH)
export CGO_ENABLED := 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
BUILD := go build -trimpath -ldflags '-X main.version=$(VERSION)'
SETUP := @test/tools/setup.sh

.PHONY: help tools build test replay fuzz bench lint schema demo clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools: ## get what the demo and the tests run: Temporal, an S3 server, PostgreSQL, age, zstd, sqlite3, rclone, Chromium
	$(SETUP) temporal versitygw debian

build: ## build bin/worker and bin/starter
	$(BUILD) -o bin/ ./worker ./starter

test: tools ## run all tests, against real servers
	go test -timeout 45m ./...

replay: ## replay the recorded workflow histories alone
	go test -count 1 -v -run Replay ./workflows

fuzz: ## fuzz every reader of foreign bytes for 20 seconds
	@grep -rEo --include='*_test.go' '^func Fuzz\w+' . | sed 's/:func / /' | while read -r file name; do \
		echo "$$name in $${file%/*}"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime 20s -fuzzminimizetime 10x "$${file%/*}" || exit 1; \
	done

bench: tools ## measure backup and restore of about 1 GB against stock tools
	go run ./test/bench

lint: ## check style, layers and the determinism of workflows
	$(SETUP) golangci-lint workflowcheck
	golangci-lint run
	workflowcheck ./workflows/...

schema: ## write docs/lifeboat.schema.json from the config's types
	go run ./starter config schema > docs/lifeboat.schema.json

demo: tools build ## back up the example service, prove the backup, and leave all of it running
	$(BUILD) -o bin/ ./examples/where2eat ./examples/demo
	@exec bin/demo

clean: ## remove what was built, and the data of demo and bench
	rm -rf bin .demo .bench
