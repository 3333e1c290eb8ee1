# The commands of this project: `npx -y rust-just RECIPE`, or `just RECIPE` where just is installed.

set positional-arguments

# nodynamic: the image codecs are compiled in rather than looked for on the machine. No cgo, so one static binary.
export GOFLAGS := "-tags=nodynamic -buildvcs=false"
export CGO_ENABLED := "0"

cache := env("XDG_CACHE_HOME", home_directory() / ".cache") / "revenge-demo"

# List the recipes
default:
    @{{ just_executable() }} --list --unsorted

# Build everything and serve the given folders of films; without one, make a demo library and serve that
serve *FOLDERS:
    #!/usr/bin/env bash
    set -euo pipefail
    scripts/install --serve
    scripts/build
    if (($# == 0)); then
        go run ./testkit/demo/cmd/demo-library "{{ cache }}/showcase"
        set -- "{{ cache }}/showcase"
    fi
    cd "{{ invocation_directory() }}"
    exec "{{ justfile_directory() }}/bin/revenge" serve "$@"

# Check everything: format, vet, linters, vulnerabilities, licences, Go tests on both databases, coverage, web, end-to-end
test:
    @scripts/install
    @scripts/with-services scripts/test

# Compare with the limit programs, all or those whose names match, and write docs/performance.md
bench *NAME:
    @scripts/install
    @scripts/with-services scripts/bench "$@"

# Run what needs big or slow third parties: contract fuzzing, the newest PostgreSQL
interop:
    @scripts/install
    @scripts/interop

# Kill, stop and suspend what an installation is made of, again and again: half an hour
chaos:
    @scripts/install
    @scripts/with-services scripts/chaos

# Measure what timing tells of accounts: minutes, on a machine that does nothing else
security:
    REVENGE_TEST_SECURITY=1 go test -count=1 -timeout 30m -v -run 'HowLongItTakes' ./hosts/httpd

# Serve the pages from their sources while working on them (the API comes from a server on its usual port)
web:
    npm --prefix web ci --no-audit --no-fund
    npm --prefix web run dev

# Build bin/revenge with the pages inside
build:
    @scripts/build

# Format and lint what can be changed without asking, then say what is left
lint:
    gofmt -w $(git ls-files --cached --others --exclude-standard -- '*.go')
    npm --prefix web run --silent format
    @scripts/test lint

# Write everything that is generated: code, the OpenAPI document, the web client's types
generate:
    go generate ./...
    go run ./hosts/cli/cmd/revenge openapi > hosts/httpd/openapi.json.new
    mv hosts/httpd/openapi.json.new hosts/httpd/openapi.json
    npm --prefix web run gen
    go run ./hosts/cli/cmd/revenge config reference > docs/configuration.md
    go run ./hosts/cli/cmd/revenge metrics > docs/metrics.md

# Bring the database to this version's schema
migrate *ARGUMENTS: build
    bin/revenge migrate "$@"

# Run every fuzz target for so long
fuzz TIME="60s":
    @scripts/fuzz "{{ TIME }}"
