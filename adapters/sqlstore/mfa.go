package sqlstore

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

var (
	_ = meaning("webauthn_credentials_credential_id_key", "mfa.passkey_taken", "This passkey is registered already.")
	_ = sealedColumn("user_totp_secrets", "user_id", "secret")
	_ = sealedColumn("user_totp_secrets", "user_id", "pending")
)

type mfa struct{ base }

var _ store.MFA = mfa{}

type mfaSettingsRow struct {
	bun.BaseModel `bun:"table:user_mfa_settings,alias:s"`
	UserID        domain.ID `bun:",pk"`
	Enabled       bool
	EnabledAt     *micros
	EnabledBy     *domain.ID
	UpdatedAt     micros
}

type totpRow struct {
	bun.BaseModel `bun:"table:user_totp_secrets,alias:t"`
	UserID        domain.ID `bun:",pk"`
	Secret        []byte
	Pending       []byte
	CreatedAt     micros
	ConfirmedAt   *micros
	LastStep      int64
	LastUsedAt    *micros
}

type passkeyRow struct {
	bun.BaseModel  `bun:"table:webauthn_credentials,alias:p"`
	ID             domain.ID `bun:",pk"`
	UserID         domain.ID
	Name           string
	CredentialID   []byte
	PublicKey      []byte
	RPID           string `bun:"rp_id"`
	Counter        int64
	AAGUID         []byte `bun:"aaguid"`
	Transports     jsonOf[[]string]
	Attachment     string
	Discoverable   bool
	BackupEligible bool
	BackedUp       bool
	CreatedAt      micros
	LastUsedAt     *micros
	ClonedAt       *micros
}

type backupCodeRow struct {
	bun.BaseModel `bun:"table:mfa_backup_codes,alias:c"`
	ID            domain.ID `bun:",pk"`
	UserID        domain.ID
	Hash          []byte
	CreatedAt     micros
	UsedAt        *micros
	UsedIP        string `bun:"used_ip"`
}

type trustedDeviceRow struct {
	bun.BaseModel `bun:"table:trusted_devices,alias:d"`
	ID            domain.ID `bun:",pk"`
	UserID        domain.ID
	Hash          []byte
	Name          string
	IP            string `bun:"ip"`
	LastUsedAt    micros
	CreatedAt     micros
	ExpiresAt     micros
}

func (r mfa) Settings(ctx context.Context, user domain.ID) (domain.MFASettings, error) {
	var row mfaSettingsRow
	err := translated(ctx, r.db.NewSelect().Model(&row).Where("s.user_id = ?", user).Scan(ctx), "mfa_settings")
	if fault.IsNotFound(err) {
		return domain.MFASettings{UserID: user}, nil
	}
	if err != nil {
		return domain.MFASettings{}, err
	}
	return domain.MFASettings{UserID: row.UserID, Enabled: row.Enabled, EnabledAt: row.EnabledAt.timeOrNil(), EnabledBy: row.EnabledBy, UpdatedAt: row.UpdatedAt.time()}, nil
}

func (r mfa) SaveSettings(ctx context.Context, s domain.MFASettings) error {
	row := &mfaSettingsRow{UserID: s.UserID, Enabled: s.Enabled, EnabledAt: atOrNull(s.EnabledAt), EnabledBy: s.EnabledBy, UpdatedAt: at(s.UpdatedAt)}
	_, err := r.db.NewInsert().Model(row).On("CONFLICT (user_id) DO UPDATE").
		Set("enabled = EXCLUDED.enabled").Set("enabled_at = EXCLUDED.enabled_at").Set("enabled_by = EXCLUDED.enabled_by").Set("updated_at = EXCLUDED.updated_at").Exec(ctx)
	return translated(ctx, err, "mfa_settings")
}

func (r mfa) TOTP(ctx context.Context, user domain.ID) (domain.TOTPSecret, error) {
	var row totpRow
	if err := r.db.NewSelect().Model(&row).Where("t.user_id = ?", user).Scan(ctx); err != nil {
		return domain.TOTPSecret{}, translated(ctx, err, "totp_secret")
	}
	return domain.TOTPSecret{
		UserID: row.UserID, Secret: row.Secret, Pending: row.Pending, CreatedAt: row.CreatedAt.time(), ConfirmedAt: row.ConfirmedAt.timeOrNil(),
		LastStep: row.LastStep, LastUsedAt: row.LastUsedAt.timeOrNil(),
	}, nil
}

func (r mfa) SaveTOTP(ctx context.Context, t domain.TOTPSecret) error {
	row := &totpRow{
		UserID: t.UserID, Secret: t.Secret, Pending: t.Pending, CreatedAt: at(t.CreatedAt), ConfirmedAt: atOrNull(t.ConfirmedAt), LastStep: t.LastStep,
		LastUsedAt: atOrNull(t.LastUsedAt),
	}
	q := r.db.NewInsert().Model(row).On("CONFLICT (user_id) DO UPDATE")
	for _, column := range []string{"secret", "pending", "created_at", "confirmed_at", "last_step", "last_used_at"} {
		q = q.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
	}
	_, err := q.Exec(ctx)
	return translated(ctx, err, "totp_secret")
}

func (r mfa) AcceptTOTPStep(ctx context.Context, user domain.ID, step int64, used time.Time) (bool, error) {
	res, err := r.db.NewUpdate().Model((*totpRow)(nil)).Set("last_step = ?", step).Set("last_used_at = ?", at(used)).
		Where("user_id = ?", user).Where("last_step < ?", step).Exec(ctx)
	return changed(ctx, res, err, "totp_secret")
}

func (r mfa) DeleteTOTP(ctx context.Context, user domain.ID) error {
	res, err := r.db.NewDelete().Model((*totpRow)(nil)).Where("user_id = ?", user).Exec(ctx)
	return found(ctx, res, err, "totp_secret")
}

func (r passkeyRow) passkey() domain.Passkey {
	return domain.Passkey{
		ID: r.ID, UserID: r.UserID, Name: r.Name, CredentialID: r.CredentialID, PublicKey: r.PublicKey, RPID: r.RPID, Counter: uint32(r.Counter), AAGUID: r.AAGUID,
		Transports: r.Transports.V, Attachment: r.Attachment, Discoverable: r.Discoverable, BackupEligible: r.BackupEligible, BackedUp: r.BackedUp,
		CreatedAt: r.CreatedAt.time(), LastUsedAt: r.LastUsedAt.timeOrNil(), ClonedAt: r.ClonedAt.timeOrNil(),
	}
}

func (r mfa) CreatePasskey(ctx context.Context, p domain.Passkey) error {
	const constraint = "webauthn_credentials_credential_id_key"
	// Look before writing, as PostgreSQL ends a transaction whose statement failed; the constraint decides races.
	taken, err := r.db.NewSelect().Model((*passkeyRow)(nil)).Where("p.credential_id = ?", p.CredentialID).Exists(ctx)
	if err != nil {
		return translated(ctx, err, "passkey")
	}
	if taken {
		return fault.New(fault.Conflict, conflicts[constraint].code, "%s", conflicts[constraint].message)
	}
	_, err = r.db.NewInsert().Model(&passkeyRow{
		ID: p.ID, UserID: p.UserID, Name: p.Name, CredentialID: p.CredentialID, PublicKey: p.PublicKey, RPID: p.RPID, Counter: int64(p.Counter), AAGUID: p.AAGUID,
		Transports: inJSON(p.Transports), Attachment: p.Attachment, Discoverable: p.Discoverable, BackupEligible: p.BackupEligible, BackedUp: p.BackedUp,
		CreatedAt: at(p.CreatedAt), LastUsedAt: atOrNull(p.LastUsedAt), ClonedAt: atOrNull(p.ClonedAt),
	}).Exec(ctx)
	return translated(ctx, err, "passkey")
}

func (r mfa) PasskeyOf(ctx context.Context, user, id domain.ID) (domain.Passkey, error) {
	var row passkeyRow
	err := r.db.NewSelect().Model(&row).Where("p.id = ?", id).Where("p.user_id = ?", user).Scan(ctx)
	return row.passkey(), translated(ctx, err, "passkey")
}

func (r mfa) PasskeyByCredential(ctx context.Context, credentialID []byte) (domain.Passkey, error) {
	var row passkeyRow
	err := r.db.NewSelect().Model(&row).Where("p.credential_id = ?", credentialID).Scan(ctx)
	return row.passkey(), translated(ctx, err, "passkey")
}

func (r mfa) Passkeys(ctx context.Context, user domain.ID) ([]domain.Passkey, error) {
	var rows []passkeyRow
	if err := r.db.NewSelect().Model(&rows).Where("p.user_id = ?", user).Order("p.created_at", "p.id").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "passkey")
	}
	list := make([]domain.Passkey, len(rows))
	for i, row := range rows {
		list[i] = row.passkey()
	}
	return list, nil
}

func (r mfa) RenamePasskey(ctx context.Context, user, id domain.ID, name string) error {
	res, err := r.db.NewUpdate().Model((*passkeyRow)(nil)).Set("name = ?", name).Where("id = ?", id).Where("user_id = ?", user).Exec(ctx)
	return found(ctx, res, err, "passkey")
}

func (r mfa) UsePasskey(ctx context.Context, id domain.ID, use domain.PasskeyUse) (bool, error) {
	res, err := r.db.NewUpdate().Model((*passkeyRow)(nil)).
		Set("counter = ?", int64(use.Counter)).Set("backed_up = ?", use.BackedUp).Set("last_used_at = ?", at(use.At)).
		Where("id = ?", id).Where("(counter < ? OR (counter = 0 AND ? = 0))", int64(use.Counter), int64(use.Counter)).Exec(ctx)
	return changed(ctx, res, err, "passkey")
}

func (r mfa) MarkPasskeyCloned(ctx context.Context, id domain.ID, seen time.Time) error {
	res, err := r.db.NewUpdate().Model((*passkeyRow)(nil)).Set("cloned_at = ?", at(seen)).Where("id = ?", id).Exec(ctx)
	return found(ctx, res, err, "passkey")
}

func (r mfa) DeletePasskey(ctx context.Context, user, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*passkeyRow)(nil)).Where("id = ?", id).Where("user_id = ?", user).Exec(ctx)
	return found(ctx, res, err, "passkey")
}

func (r mfa) ReplaceBackupCodes(ctx context.Context, user domain.ID, codes ...domain.BackupCode) error {
	if _, err := r.db.NewDelete().Model((*backupCodeRow)(nil)).Where("user_id = ?", user).Exec(ctx); err != nil || len(codes) == 0 {
		return translated(ctx, err, "backup_code")
	}
	rows := make([]backupCodeRow, len(codes))
	for i, c := range codes {
		rows[i] = backupCodeRow{ID: c.ID, UserID: user, Hash: c.Hash, CreatedAt: at(c.CreatedAt), UsedAt: atOrNull(c.UsedAt), UsedIP: c.UsedIP}
	}
	_, err := r.db.NewInsert().Model(&rows).Exec(ctx)
	return translated(ctx, err, "backup_code")
}

func (r mfa) BackupCodes(ctx context.Context, user domain.ID) ([]domain.BackupCode, error) {
	var rows []backupCodeRow
	if err := r.db.NewSelect().Model(&rows).Where("c.user_id = ?", user).Order("c.id").Scan(ctx); err != nil {
		return nil, translated(ctx, err, "backup_code")
	}
	list := make([]domain.BackupCode, len(rows))
	for i, row := range rows {
		list[i] = domain.BackupCode{
			ID: row.ID, UserID: row.UserID, Hash: row.Hash, CreatedAt: row.CreatedAt.time(), UsedAt: row.UsedAt.timeOrNil(), UsedIP: row.UsedIP,
		}
	}
	return list, nil
}

func (r mfa) UseBackupCode(ctx context.Context, user domain.ID, hash []byte, used time.Time, ip string) (bool, error) {
	res, err := r.db.NewUpdate().Model((*backupCodeRow)(nil)).Set("used_at = ?", at(used)).Set("used_ip = ?", ip).
		Where("user_id = ?", user).Where("hash = ?", hash).Where("used_at IS NULL").Exec(ctx)
	return changed(ctx, res, err, "backup_code")
}

func (r mfa) CreateTrustedDevice(ctx context.Context, d domain.TrustedDevice) error {
	_, err := r.db.NewInsert().Model(&trustedDeviceRow{
		ID: d.ID, UserID: d.UserID, Hash: d.Hash, Name: d.Name, IP: d.IP, LastUsedAt: at(d.LastUsedAt), CreatedAt: at(d.CreatedAt), ExpiresAt: at(d.ExpiresAt),
	}).Exec(ctx)
	return translated(ctx, err, "trusted_device")
}

func (r mfa) UseTrustedDevice(ctx context.Context, user domain.ID, hash []byte, used time.Time) (bool, error) {
	res, err := r.db.NewUpdate().Model((*trustedDeviceRow)(nil)).Set("last_used_at = ?", at(used)).
		Where("user_id = ?", user).Where("hash = ?", hash).Where("expires_at > ?", at(used)).Exec(ctx)
	return changed(ctx, res, err, "trusted_device")
}

func (r mfa) TrustedDevices(ctx context.Context, user domain.ID, now time.Time) ([]domain.TrustedDevice, error) {
	var rows []trustedDeviceRow
	err := r.db.NewSelect().Model(&rows).Where("d.user_id = ?", user).Where("d.expires_at > ?", at(now)).Order("d.last_used_at DESC", "d.id DESC").Scan(ctx)
	if err != nil {
		return nil, translated(ctx, err, "trusted_device")
	}
	list := make([]domain.TrustedDevice, len(rows))
	for i, row := range rows {
		list[i] = domain.TrustedDevice{
			ID: row.ID, UserID: row.UserID, Hash: row.Hash, Name: row.Name, IP: row.IP, LastUsedAt: row.LastUsedAt.time(), CreatedAt: row.CreatedAt.time(),
			ExpiresAt: row.ExpiresAt.time(),
		}
	}
	return list, nil
}

func (r mfa) DeleteTrustedDevice(ctx context.Context, user, id domain.ID) error {
	res, err := r.db.NewDelete().Model((*trustedDeviceRow)(nil)).Where("id = ?", id).Where("user_id = ?", user).Exec(ctx)
	return found(ctx, res, err, "trusted_device")
}

func (r mfa) deleteTrustedDevices(ctx context.Context, where string, arg any) (int, error) {
	res, err := r.db.NewDelete().Model((*trustedDeviceRow)(nil)).Where(where, arg).Exec(ctx)
	if err != nil {
		return 0, translated(ctx, err, "trusted_device")
	}
	n, err := res.RowsAffected()
	return int(n), translated(ctx, err, "trusted_device")
}

func (r mfa) DeleteTrustedDevices(ctx context.Context, user domain.ID) (int, error) {
	return r.deleteTrustedDevices(ctx, "user_id = ?", user)
}

func (r mfa) DeleteExpiredTrustedDevices(ctx context.Context, before time.Time) (int, error) {
	return r.deleteTrustedDevices(ctx, "expires_at < ?", at(before))
}
