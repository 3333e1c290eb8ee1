-- +goose Up
-- Who people may sign in with.
CREATE TABLE oidc_providers (
	id            UUID PRIMARY KEY NOT NULL,
	name          TEXT COLLATE "C" NOT NULL,
	display_name  TEXT NOT NULL,
	issuer        TEXT COLLATE "C" NOT NULL,
	client_id     TEXT NOT NULL,
	sealed_secret BYTEA,
	scopes        TEXT NOT NULL, -- JSON
	auto_register BOOLEAN NOT NULL,
	default_roles TEXT NOT NULL, -- JSON
	role_claim    TEXT NOT NULL,
	role_mapping  TEXT NOT NULL, -- JSON
	map_admin     BOOLEAN NOT NULL,
	trust_mfa     BOOLEAN NOT NULL,
	position      INTEGER NOT NULL,
	enabled       BOOLEAN NOT NULL,
	created_at    BIGINT NOT NULL,
	updated_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX oidc_providers_name_key ON oidc_providers (name);
CREATE UNIQUE INDEX oidc_providers_issuer_key ON oidc_providers (issuer);

-- Who is who there. A link names the issuer and not the provider's row: it outlives that.
CREATE TABLE oidc_user_links (
	id           UUID PRIMARY KEY NOT NULL,
	user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	issuer       TEXT COLLATE "C" NOT NULL,
	subject      TEXT COLLATE "C" NOT NULL,
	label        TEXT NOT NULL,
	created_at   BIGINT NOT NULL,
	last_used_at BIGINT
);
CREATE UNIQUE INDEX oidc_user_links_issuer_subject_key ON oidc_user_links (issuer, subject);
CREATE UNIQUE INDEX oidc_user_links_user_id_issuer_key ON oidc_user_links (user_id, issuer);

-- Sessions that a provider opened, so that signing out here and there is one.
CREATE TABLE oidc_sessions (
	id               UUID PRIMARY KEY NOT NULL,
	session_id       UUID NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	issuer           TEXT COLLATE "C" NOT NULL,
	subject          TEXT COLLATE "C" NOT NULL,
	provider_session TEXT COLLATE "C" NOT NULL,
	sealed_token     BYTEA,
	created_at       BIGINT NOT NULL
);
CREATE UNIQUE INDEX oidc_sessions_session_id_key ON oidc_sessions (session_id);
CREATE INDEX oidc_sessions_issuer_subject_idx ON oidc_sessions (issuer, subject);
CREATE INDEX oidc_sessions_issuer_provider_session_idx ON oidc_sessions (issuer, provider_session);

-- +goose Down
DROP TABLE oidc_sessions;
DROP TABLE oidc_user_links;
DROP TABLE oidc_providers;
