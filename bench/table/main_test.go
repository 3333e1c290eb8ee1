package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRowsBecomeATableOfEachSection(t *testing.T) {
	t.Parallel()
	rows := filepath.Join(t.TempDir(), "rows")
	require.NoError(t, os.WriteFile(rows, []byte(`{"Section":"A","Path":"list","Ours":812.4,"Limit":1204,"Unit":"requests/s","Ratio":0.674,"Spread":"0.66–0.7","Wish":">= 0.6","Met":true}
{"Section":"B","Path":"memory","Ours":71.25,"Unit":"MB","Ratio":71.25,"Wish":"<= 60 MB"}
{"Section":"A","Path":"get","Ours":2,"Limit":4,"Unit":"ms","Ratio":0.5,"Met":true}
`), 0o644))
	var out bytes.Buffer
	require.NoError(t, run(rows, "", &out))
	require.Equal(t, `### A

| path | Revenge | limit | ratio | rounds | wished | |
| --- | ---: | ---: | ---: | --- | --- | --- |
| list | 812 requests/s | 1204 | 0.674 | 0.66–0.7 | >= 0.6 | met |
| get | 2.00 ms | 4.00 | 0.5 |  |  | met |

### B

| path | Revenge | limit | ratio | rounds | wished | |
| --- | ---: | ---: | ---: | --- | --- | --- |
| memory | 71.2 MB |  |  |  | <= 60 MB | **not met** |
`, out.String())

	page := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(page, []byte("before\n"+begin+"\nold\n"+end+"\nafter\n"), 0o644))
	require.NoError(t, run(rows, page, nil))
	written, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^before\n.*Measured on \d{4}-\d\d-\d\d.*### A.*### B.*\nafter\n$`, string(written))
	require.NotContains(t, string(written), "old")

	require.Error(t, run(rows, rows, nil), "a page without markers")
	require.Error(t, run(page, "", &out), "rows that are none")
}
