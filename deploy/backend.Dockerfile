# The programs: revenge (the command line, and all of the server in one process), revenge-httpd and revenge-worker.
#
#   docker build -f deploy/backend.Dockerfile --build-arg VERSION="$(git describe --tags --always)" -t revenge-backend .
#   docker run -p 8585:8585 -v revenge:/var/lib/revenge -v /srv/films:/media:ro revenge-backend revenge serve /media

# The pages are the same on every processor, so they are built once, on the builder's own.
FROM --platform=$BUILDPLATFORM node:20.19.5-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

# No cgo: Go itself compiles for another processor, without emulating it.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
ENV GOFLAGS="-tags=nodynamic -buildvcs=false" CGO_ENABLED=0 GOTOOLCHAIN=local
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY adapters adapters
COPY core core
COPY hosts hosts
COPY migrations migrations
COPY ports ports
COPY web/embed.go web/embed.go
COPY --from=web /src/web/build web/build
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w -X github.com/revenge-media/revenge/hosts/cli.Version=$VERSION" -o /out/ ./hosts/cli/cmd/revenge ./hosts/httpd/cmd/revenge-httpd ./hosts/worker/cmd/revenge-worker

FROM debian:12.12-slim
ARG VERSION=unknown
LABEL org.opencontainers.image.title="Revenge" \
      org.opencontainers.image.description="A movie server for your household: API, workers and command line" \
      org.opencontainers.image.source="https://github.com/revenge-media/revenge" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ffmpeg \
    && rm -rf /var/lib/apt/lists/*
# A number that never changes, since the files in volumes belong to it. A new volume takes these folders' owner over.
RUN groupadd --gid 10001 revenge \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/revenge --shell /usr/sbin/nologin revenge \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/revenge /var/cache/revenge /var/backups/revenge
COPY --from=build /out/revenge /out/revenge-httpd /out/revenge-worker /usr/local/bin/
ENV REVENGE_DATA_DIR=/var/lib/revenge REVENGE_CACHE_DIR=/var/cache/revenge REVENGE_BACKUP_DIR=/var/backups/revenge
USER 10001:10001
EXPOSE 8585
STOPSIGNAL SIGTERM
# Of revenge and revenge-httpd; a worker's is "revenge healthcheck --worker".
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["revenge", "healthcheck"]
CMD ["revenge", "serve"]
