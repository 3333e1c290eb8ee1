package revenge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Revenge is Apache-2.0 and others embed it, so what it is built from must be permissive, or weak in the way of
// MPL-2.0, whose terms stay with its own files.

// licences are known by a sentence of their text. Those that do not fit come first, because their texts may stand
// beside a permissive one.
var licences = []struct {
	name     string
	sentence *regexp.Regexp
	fits     bool
}{
	{"AGPL", regexp.MustCompile(`(?i)GNU AFFERO GENERAL PUBLIC LICENSE\s+Version`), false},
	{"LGPL", regexp.MustCompile(`(?i)GNU LESSER GENERAL PUBLIC LICENSE\s+Version`), false},
	{"GPL", regexp.MustCompile(`(?i)GNU GENERAL PUBLIC LICENSE\s+Version`), false},
	{"SSPL", regexp.MustCompile(`(?i)Server Side Public License`), false},
	{"BUSL", regexp.MustCompile(`(?i)Business Source License`), false},
	{"Commons Clause", regexp.MustCompile(`(?i)Commons Clause`), false},
	{"Apache-2.0", regexp.MustCompile(`(?i)Apache License,?\s+Version 2\.0`), true},
	{"MPL-2.0", regexp.MustCompile(`(?i)Mozilla Public License,?\s+(Version|v\.) 2\.0`), true},
	{"MIT", regexp.MustCompile(`(?i)Permission is hereby granted, free of charge, to any person obtaining a\s+copy`), true},
	{"ISC", regexp.MustCompile(`(?i)Permission to use, copy, modify,? and/?(or)? distribute this software for any\s+purpose`), true},
	{"BSD", regexp.MustCompile(`(?i)Redistribution and use in source and binary forms, with or without\s+modification`), true},
	{"Unlicense", regexp.MustCompile(`(?i)This is free and unencumbered software released into the public domain`), true},
	{"CC0-1.0", regexp.MustCompile(`(?i)CC0 1\.0 Universal`), true},
}

// licenceOf names the licence of a text, or nothing, and says whether it fits.
func licenceOf(text string) (name string, fits bool) {
	text = strings.Join(strings.Fields(text), " ")
	for _, licence := range licences {
		if licence.sentence.MatchString(text) {
			return licence.name, licence.fits
		}
	}
	return "", false
}

func TestEveryGoDependencyHasALicenceThatFits(t *testing.T) {
	t.Parallel()
	dependOnSources(t)
	output, err := exec.Command("go", "list", "-e", "-deps", "-json=Module", "./...").Output()
	require.NoError(t, err)
	seen := map[string]bool{module: true, "": true}
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p struct {
			Module struct{ Path, Version, Dir string }
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if seen[p.Module.Path] {
			continue
		}
		seen[p.Module.Path] = true
		if name, fits := licenceOf(licenceText(t, p.Module.Dir)); !fits {
			t.Errorf("%s %s: licence %q does not fit or is not known (in %s)", p.Module.Path, p.Module.Version, name, p.Module.Dir)
		}
	}
}

func licenceText(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var texts []string
	for _, entry := range entries {
		if name := strings.ToUpper(entry.Name()); !entry.IsDir() && (strings.HasPrefix(name, "LICEN") || strings.HasPrefix(name, "COPYING")) {
			text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			require.NoError(t, err)
			texts = append(texts, string(text))
		}
	}
	return strings.Join(texts, "\n")
}

// Licences of npm packages that fit, by SPDX identifier. The last four cover data, fonts and texts.
var npmLicences = []string{"MIT", "MIT-0", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "BlueOak-1.0.0", "MPL-2.0", "Unlicense",
	"Python-2.0", "CC0-1.0", "CC-BY-4.0", "OFL-1.1"}

func TestEveryWebDependencyHasALicenceThatFits(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("web", "package-lock.json"))
	require.NoError(t, err)
	var lock struct {
		Packages map[string]struct {
			Version, License string
			Link             bool
		}
	}
	require.NoError(t, json.Unmarshal(text, &lock))
	require.NotEmpty(t, lock.Packages)
	for path, dependency := range lock.Packages {
		if path == "" || dependency.Link || fitsSPDX(dependency.License) {
			continue
		}
		if dependency.License == "" { // some state it only in a file
			folder := filepath.Join("web", path)
			if _, err := os.Stat(folder); err != nil {
				t.Skipf("%s is not installed: run `npm --prefix web ci` for this test", path)
			}
			if _, fits := licenceOf(licenceText(t, folder)); fits {
				continue
			}
		}
		t.Errorf("%s %s: licence %q does not fit or is not stated", path, dependency.Version, dependency.License)
	}
}

// fitsSPDX reads an expression without brackets inside brackets: one of the alternatives must fit, and all that are
// joined by AND.
func fitsSPDX(expression string) bool {
	expression = strings.Trim(expression, "()")
	return slices.ContainsFunc(strings.Split(expression, " OR "), func(alternative string) bool {
		return !slices.ContainsFunc(strings.Split(alternative, " AND "), func(licence string) bool {
			return !slices.Contains(npmLicences, strings.TrimSpace(licence))
		})
	})
}

func TestLicencesThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy": true,
		"Apache License\n                           Version 2.0, January 2004":                        true,
		"GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007":                             false,
		"GNU GENERAL PUBLIC LICENSE\n Version 2, June 1991":                                           false,
		"All rights reserved.": false,
		"":                     false,
	} {
		_, fits := licenceOf(text)
		require.Equal(t, want, fits, text)
	}
	for expression, want := range map[string]bool{"MIT": true, "(MIT OR GPL-3.0)": true, "MIT AND GPL-3.0": false, "GPL-3.0-only": false, "": false} {
		require.Equal(t, want, fitsSPDX(expression), expression)
	}
}
