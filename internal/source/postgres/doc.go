// Package postgres backs PostgreSQL databases up and restores them, with the
// stock tools: pg_dump writes the archive, whose stream is fingerprinted on its
// way, and pg_restore makes the definitions.
//
// A Source is a database to back up. A Staging is a throwaway database on a
// server to restore to; it is named lifeboat_…, and says in its comment whose it
// is, so that what a killed run left is found and dropped. A Live is a production
// database, whose place a copy restored beside it takes in one transaction.
package postgres
