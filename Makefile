# make run      build the server and serve the page at http://127.0.0.1:8080
# make test     install what the tests need, and run them all
# make unit     the tests in Go
# make lint     what golangci-lint finds in the Go code, by .golangci.yml
# make interop  the tests with real clients and browsers
# make chaos    kill the server over and over, at any moment, and look whether something is lost
# make bench    measure beside Node's socket.io
# make build    leave bin/jobcast
# make clean    remove everything that was built or installed here
# make help     show this list

SHELL := /bin/bash
CLIENT := public/vendor/socket.io.min.js
BUNDLE := socketio/bundle/dist/socket.io.js
GO_FILES := $(shell find . -name '*.go' -not -path '*/node_modules/*') go.mod go.sum
PAGES := $(shell find public -type f -not -path '*/vendor/*')

.PHONY: help run build test unit lint types interop chaos bench clean
.DEFAULT_GOAL := build

help:
	@sed -n 's/^# \(make [a-z]* .*\)/\1/p' Makefile

run: build
	bin/jobcast serve $(ARGS)

build: bin/jobcast

bin/jobcast: $(CLIENT) $(BUNDLE) $(GO_FILES) $(PAGES)
	go build -trimpath -o $@ .

# The stock client and the chart library come from npm by the lock file, and are embedded in the binary.
node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CLIENT): node_modules/.installed
	@mkdir -p public/vendor
	cp node_modules/socket.io-client/dist/socket.io.min.js node_modules/socket.io-client/dist/socket.io.min.js.map public/vendor/
	cp node_modules/uplot/dist/uPlot.iife.min.js node_modules/uplot/dist/uPlot.min.css public/vendor/
	@touch $@

# What is served below /socket.io/.
$(BUNDLE): node_modules/.installed
	cp node_modules/socket.io-client/dist/socket.io{,.min,.esm.min,.msgpack.min}.js{,.map} socketio/bundle/dist/
	@touch $@

# The two long ones wait more than they compute, so they run side by side; the linter comes before the tests in Go.
test: build
	$(MAKE) --no-print-directory -j2 lint interop unit

unit: $(CLIENT) $(BUNDLE)
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt these files:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	go test -race -timeout 20m ./...

# The linter is built from a module of its own, so that what it needs is not in the graph of the server.
bin/golangci-lint: tools/go.mod tools/go.sum
	go build -C tools -trimpath -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint: bin/golangci-lint $(CLIENT) $(BUNDLE)
	bin/golangci-lint run

# The declarations that are made from events/, used with the stock client's types.
examples/typescript/node_modules/.installed: examples/typescript/package.json examples/typescript/package-lock.json
	cd examples/typescript && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

types: examples/typescript/node_modules/.installed
	cd examples/typescript && npm run --silent build

# Real clients against the real program: Node, and headless Chromium from the system's packages.
interop/node_modules/.installed: interop/package.json interop/package-lock.json
	cd interop && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

interop/old/node_modules/.installed: interop/old/package.json interop/old/package-lock.json
	cd interop/old && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

interop: bin/jobcast types interop/node_modules/.installed interop/old/node_modules/.installed
	@interop/install-browser
	go build -race -tags testkinds -trimpath -o bin/jobcast-test .
	node --test --test-timeout=1800000 --test-concurrency=2 interop/*.test.js interop/old/*.test.js

# The tests have a short form of each of these.
chaos: $(CLIENT) $(BUNDLE) interop/node_modules/.installed
	go test -timeout 60m -run '^TestKillDuringFirstStart$$' . -kills=500
	go build -race -tags testkinds -trimpath -o bin/jobcast-test .
	CHAOS_KILLS=200 node --test --test-timeout=3600000 interop/chaos.test.js

bench: bin/jobcast
	bench/run

clean:
	rm -rf bin node_modules interop/node_modules interop/old/node_modules examples/typescript/node_modules examples/typescript/build public/vendor socketio/bundle/dist/*
