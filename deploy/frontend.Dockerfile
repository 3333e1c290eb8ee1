# The pages, served by nginx, which passes what is the API's on to the backend.
#
#   docker build -f deploy/frontend.Dockerfile -t revenge-frontend .

FROM --platform=$BUILDPLATFORM node:20.19.5-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build
COPY deploy/headers.mjs /src/deploy/headers.mjs
RUN node /src/deploy/headers.mjs build/index.html > /src/headers.conf

FROM nginx:1.28.0-bookworm
ARG VERSION=unknown
LABEL org.opencontainers.image.title="Revenge: web pages" \
      org.opencontainers.image.description="The web pages of Revenge, a movie server for your household" \
      org.opencontainers.image.source="https://github.com/revenge-media/revenge" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY deploy/nginx.conf /etc/nginx/nginx.conf
COPY --from=web /src/headers.conf /etc/nginx/headers.conf
COPY --from=web /src/web/build /usr/share/nginx/html
# The user "nginx" of that image.
USER 101:101
EXPOSE 8080
STOPSIGNAL SIGQUIT
# Of nginx itself: without a backend it is still the one that says so.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/"]
ENTRYPOINT ["nginx", "-g", "daemon off;"]
