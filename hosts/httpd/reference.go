package httpd

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/revenge-media/revenge/core"
	"github.com/revenge-media/revenge/core/domain"
)

// PermissionReference is docs/permissions.md: permissions, what the default roles carry, and which routes ask for what.
func PermissionReference() (string, error) {
	s, err := New(Config{Core: &core.Core{}, Logger: slog.New(slog.DiscardHandler), Version: APIVersion})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`# Permissions

<!-- Printed by "revenge permissions"; do not edit. -->

A role is a set of permissions, its own and those of the roles that it inherits from. An account has roles everywhere, and may have roles for single libraries,
where the permissions marked below hold for what is in that library: its films and files, and scanning it. Nobody gives a role that carries what they do not
hold themselves.

Restricted libraries are seen by ` + "`admin` and, where the library's access list names the account, by `legacy:read`" + `: no other role opens them, and nothing inherits from
these two.

`)
	roles := domain.DefaultRoles()
	carried := map[domain.RoleName][]domain.Permission{}
	for _, r := range roles {
		carried[r.Name] = append(carried[r.Name], r.Permissions...)
	}
	for _, r := range roles {
		for _, parent := range r.Parents { // the default roles inherit over one generation at most
			carried[r.Name] = append(carried[r.Name], carried[parent]...)
		}
	}
	b.WriteString("| permission | area | for one library | allows to |")
	for _, r := range roles {
		fmt.Fprintf(&b, " `%s` |", r.Name)
	}
	b.WriteString("\n|---|---|---|---|" + strings.Repeat("---|", len(roles)) + "\n")
	mark := func(yes bool) string {
		if yes {
			return "✓"
		}
		return ""
	}
	for _, p := range domain.Permissions() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |", p.Name, p.Area, mark(p.InLibrary), p.Description)
		for _, r := range roles {
			fmt.Fprintf(&b, " %s |", mark(slices.Contains(carried[r.Name], p.Name)))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Routes\n\nRoutes marked with \"or for one library\" let in who has the permission for a library, and serve what is in it.\n")
	byPermission := map[domain.Permission][]string{}
	for name, p := range s.routes {
		method, pattern, _ := strings.Cut(name, " ")
		line := "- `" + method + " " + pattern + "`"
		if s.inLibrary[name] {
			line += ", or for one library"
		}
		byPermission[p] = append(byPermission[p], line)
	}
	for _, p := range slices.Sorted(maps.Keys(byPermission)) {
		title := "`" + string(p) + "`"
		if p == domain.PermissionPublic {
			title = "Nobody needs to sign in for"
		}
		slices.Sort(byPermission[p])
		fmt.Fprintf(&b, "\n### %s\n\n%s\n", title, strings.Join(byPermission[p], "\n"))
	}
	return b.String(), nil
}
