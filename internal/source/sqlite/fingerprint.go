package sqlite

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// fingerprint sums up a database that nobody writes to: the rows of its tables
// and the definitions of its schema. It is equal before and after a VACUUM.
//
// What SQLite keeps for itself does not count: statistics (sqlite_stat1 and the
// like), rowids that are no column, and the shadow tables of a virtual table,
// whose rows are read through the virtual table itself.
func fingerprint(ctx context.Context, conn *connection, mode recovery.FingerprintMode) (*recovery.Fingerprint, error) {
	if mode == recovery.FingerprintOff {
		return nil, nil
	}
	sums := &recovery.Fingerprint{Mode: mode}
	tables, err := tablesOf(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		sum, err := sumTable(ctx, conn, t, mode)
		if t.virtual && err != nil && strings.Contains(err.Error(), "no such module") {
			continue // its shadow tables then count as ordinary ones
		}
		if err != nil {
			return nil, fmt.Errorf("sum up table %s: %w", t.name, err)
		}
		sums.Data = append(sums.Data, *sum)
	}
	if sums.Definitions, err = definitionsOf(ctx, conn); err != nil {
		return nil, err
	}
	sums.Sort()
	return sums, nil
}

type table struct {
	name    string
	virtual bool
}

func tablesOf(ctx context.Context, conn *connection) ([]table, error) {
	rows, err := conn.QueryContext(ctx, `SELECT name, type = 'virtual' FROM pragma_table_list
		WHERE schema = 'main' AND type IN ('table', 'virtual') AND name <> 'sqlite_schema' AND name NOT LIKE 'sqlite\_stat%' ESCAPE '\'`)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var tables []table
	for rows.Next() {
		var t table
		if err := rows.Scan(&t.name, &t.virtual); err != nil {
			return nil, fmt.Errorf("list tables: %w", err)
		}
		tables = append(tables, t)
	}
	return tables, rows.Err()
}

func sumTable(ctx context.Context, conn *connection, t table, mode recovery.FingerprintMode) (*recovery.DataSum, error) {
	data := &recovery.DataSum{Kind: "table", Name: t.name}
	if mode == recovery.FingerprintCounts {
		err := conn.QueryRowContext(ctx, "SELECT count(*) FROM main."+quote(t.name)).Scan(&data.Rows)
		return data, err
	}
	columns, err := columnsOf(ctx, conn, t.name)
	if err != nil {
		return nil, err
	}
	rows, err := conn.QueryContext(ctx, "SELECT "+columns+" FROM main."+quote(t.name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, targets := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		targets[i] = &values[i]
	}
	var sum rowSum
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		if err := sum.add(values); err != nil {
			return nil, err
		}
		data.Rows++
	}
	data.Sum = sum.String()
	return data, rows.Err()
}

// columnsOf lists a table's columns as an expression each: an expression has no
// declared type, so the driver hands out the value as it is stored instead of
// making times and truth values of it.
func columnsOf(ctx context.Context, conn *connection, name string) (string, error) {
	rows, err := conn.QueryContext(ctx, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid", name)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	var columns []string
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			return "", err
		}
		columns = append(columns, "+"+quote(column))
	}
	return strings.Join(columns, ", "), rows.Err()
}

func definitionsOf(ctx context.Context, conn *connection) ([]recovery.DefinitionSum, error) {
	rows, err := conn.QueryContext(ctx, `SELECT type, name, sql FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\_stat%' ESCAPE '\'
		UNION ALL SELECT 'setting', 'user_version', CAST(user_version AS TEXT) FROM pragma_user_version
		UNION ALL SELECT 'setting', 'application_id', CAST(application_id AS TEXT) FROM pragma_application_id
		UNION ALL SELECT 'setting', 'encoding', encoding FROM pragma_encoding`)
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var definitions []recovery.DefinitionSum
	for rows.Next() {
		var d recovery.DefinitionSum
		var text string
		if err := rows.Scan(&d.Kind, &d.Name, &text); err != nil {
			return nil, fmt.Errorf("list definitions: %w", err)
		}
		hash := xxh3.HashString128(text).Bytes()
		d.Text = hex.EncodeToString(hash[:])
		definitions = append(definitions, d)
	}
	return definitions, rows.Err()
}

// rowSum adds up the hashes of rows.
type rowSum struct {
	hi, lo uint64
	row    []byte
}

// The storage classes of SQLite, as tags of the values in a row.
const (
	tagNull    = 'n'
	tagInteger = 'i'
	tagReal    = 'r'
	tagText    = 't'
	tagBlob    = 'b'
)

// add hashes a row: each value with its storage class and, where the length is
// not given by that, its length.
func (s *rowSum) add(values []any) error {
	s.row = s.row[:0]
	for i, value := range values {
		switch v := value.(type) {
		case nil:
			s.row = append(s.row, tagNull)
		case int64:
			s.row = binary.LittleEndian.AppendUint64(append(s.row, tagInteger), uint64(v))
		case float64:
			s.row = binary.LittleEndian.AppendUint64(append(s.row, tagReal), math.Float64bits(v))
		case string:
			s.row = binary.LittleEndian.AppendUint64(append(s.row, tagText), uint64(len(v)))
			s.row = append(s.row, v...)
		case []byte:
			s.row = binary.LittleEndian.AppendUint64(append(s.row, tagBlob), uint64(len(v)))
			s.row = append(s.row, v...)
		default:
			return fmt.Errorf("read column %d: the driver made a %T of it", i+1, v)
		}
	}
	hash := xxh3.Hash128(s.row)
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, hash.Lo, 0)
	s.hi, _ = bits.Add64(s.hi, hash.Hi, carry)
	return nil
}

func (s *rowSum) String() string { return fmt.Sprintf("%016x%016x", s.hi, s.lo) }

// quote writes a name as an SQL identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
