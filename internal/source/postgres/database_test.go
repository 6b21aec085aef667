package postgres

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettingValues(t *testing.T) {
	tests := map[string]struct {
		setting setting
		want    string
	}{
		"text":           {setting{Name: "app.motto", Value: `it's`}, `'it''s'`},
		"backslash":      {setting{Name: "app.motto", Value: `a\b`}, ` E'a\\b'`},
		"list":           {setting{Name: "search_path", Value: `"$user", public`}, `'$user', 'public'`},
		"odd names":      {setting{Name: "search_path", Value: `"a,b", "c""d",e`}, `'a,b', 'c"d', 'e'`},
		"empty name":     {setting{Name: "search_path", Value: `""`}, `''`},
		"empty list":     {setting{Name: "temp_tablespaces", Value: ``}, `''`},
		"a list as text": {setting{Name: "DateStyle", Value: `ISO, DMY`}, `'ISO, DMY'`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { require.Equal(t, tt.want, tt.setting.value()) })
	}
}

func TestCreateStatement(t *testing.T) {
	tests := map[string]struct {
		database database
		want     string
	}{
		"before 15": {database{}, ""},
		"libc":      {database{Provider: "libc"}, " LOCALE_PROVIDER libc"},
		"icu":       {database{Provider: "icu", Locale: "de", ICURules: "&a<b"}, " LOCALE_PROVIDER icu ICU_LOCALE 'de' ICU_RULES '&a<b'"},
		"builtin":   {database{Provider: "builtin", Locale: "C.UTF-8"}, " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := tt.database
			d.Encoding, d.Collate, d.CType = "UTF8", "C", "de_DE.UTF-8"
			require.Equal(t, `CREATE DATABASE "x" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'de_DE.UTF-8'`+tt.want, d.create(`"x"`))
		})
	}
}

func TestDocumentKeepsEverything(t *testing.T) {
	d := &database{
		ServerMajor: 15, Encoding: "UTF8", Collate: "C", CType: "C", Owner: "o\nx", Comment: "two\nlines", Granted: true,
		Grants:   []grant{{Privilege: "CONNECT"}, {Grantee: "a b", Privilege: "CREATE", Grantable: true}},
		Settings: []setting{{Name: "app.x", Value: "v\n-- lifeboat: {}"}}, Roles: []string{"o\nx"}, Schemas: []string{"s"},
	}
	document, err := d.document()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(document), documentMark))
	got, err := parseDocument(document)
	require.NoError(t, err)
	require.Equal(t, d, got)
}

func TestMajorOf(t *testing.T) {
	for version, want := range map[string]int{"15.18": 15, "11.11 (Debian)": 11, "18beta1": 18, "9": 9, "": 0, "x": 0} {
		require.Equal(t, want, majorOf(version), version)
	}
}
