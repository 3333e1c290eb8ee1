// Package settings holds what an administrator sets while the server runs (SPEC 3): a registry of typed keys, their values in the database, and a
// cache that every process keeps current.
package settings

// The settings. Each is read with Get; whoever needs another adds it here.
var (
	ServerName = text("server.name", "Revenge", "The name that people see, and that mails are about.", notEmpty, atMost(60))
	PublicURL  = text("server.publicURL", "", "Address under which people reach this server, like https://movies.example.org. Links in mails and passkeys use it, never what a request names. Empty: baseURL of the configuration.",
		httpAddress).public()

	RegistrationMode = choice("auth.registration", "closed", "Who may make an account: nobody (closed), whoever has an invitation (invite), everybody (open).", "closed", "invite", "open").public()
	MFARequiredRoles = list("auth.mfaRequiredRoles", "Roles whose accounts must have a second factor. Without one such an account can do nothing but add it.", roleNames)
	SessionIdleDays  = number("auth.sessionIdle", 14, "Days without use after which a session ends.", between(1, 365))

	AllowKeyInQuery      = yesNo("api.allowKeyInQuery", false, "Whether API keys may stand in an address (`?apiKey=`), where proxies' logs keep them. For clients that can send no header.")
	KeyRequestsPerMinute = number("api.keyRequestsPerMinute", 600, "Requests that an API key may make in a minute unless it has a limit of its own.", between(1, 100_000))

	ActivityRetentionDays = number("activity.retentionDays", 365, "Days that the activity log is kept; 0 is for ever.", between(0, 3650))
	DeletionGraceDays     = number("account.deletionGraceDays", 30, "Days after which a deleted account is gone for good; until then an administrator can restore it.", between(0, 365))

	MailHost     = text("mail.host", "", "Host name of the SMTP server that takes mails. Empty: no mail is sent, and links are handed over by the administrator.", hostName)
	MailPort     = number("mail.port", 587, "Port of the SMTP server: 587 with starttls, 465 with tls.", between(1, 65535))
	MailSecurity = choice("mail.security", "starttls", "How the connection is protected: starttls (required, never skipped), tls from the first byte, or none for a server on this computer.", "starttls", "tls", "none")
	MailUsername = text("mail.username", "", "User name at the SMTP server; empty: without signing in.", atMost(320))
	MailPassword = text("mail.password", "", "Password at the SMTP server.", atMost(1000)).secret()
	MailFrom     = text("mail.from", "", "Address that mails come from. Empty: revenge@ the host name of the server's address.", mailAddress)
	MailFromName = text("mail.fromName", "", "Name that mails come from. Empty: the server's name.", atMost(100))

	Language = choice("ui.language", "en", "Language of mails, and of pages to people who chose none.", "en", "de").public()
)
