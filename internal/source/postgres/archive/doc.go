// Package archive reads PostgreSQL's custom archive format, as `pg_dump -Fc -Z0`
// writes it, from a stream: forwards, once, in constant memory. It knows the
// versions 1.14 (PostgreSQL 12 to 15), 1.15 (16) and 1.16 (17 and 18).
//
// An archive is a head and blocks of data:
//
//	head   = "PGDMP" major minor revision intSize offSize format
//	         compression (an int; from 1.15 on a byte)
//	         7 ints (time) 3 strings (database, server's version, pg_dump's version)
//	         int (number of entries) entry*
//	entry  = int id, int hadData, str tableOID, str OID, str tag, str desc, int section,
//	         str defn, str drop, str copy, str namespace, str tablespace, str tableAM,
//	         [from 1.16 on: int relkind], str owner, str withOIDs, str dependency*, NULL,
//	         offset flag, offset
//	block  = 1, int id, chunk*, int 0                          (a table's rows)
//	       | 3, int id, (int OID, chunk*, int 0)*, int 0       (large objects)
//	chunk  = int length, bytes
//	int    = sign byte, intSize bytes, lowest first
//	str    = int length (-1: NULL), bytes
//
// Rows are COPY text: one line each, then `\.` and three newlines. Nothing marks
// the end of an archive: it is whole if every entry that had data has its block.
//
// The format is defined by pg_backup_archiver.c and pg_backup_custom.c of
// PostgreSQL.
package archive
