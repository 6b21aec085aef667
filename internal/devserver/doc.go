// Package devserver runs real servers on loopback for the demo and the tests:
// PostgreSQL, an S3 server and Temporal.
//
// There are two layers. A config's Start method returns a server or an error and
// keeps its data in a folder that a later Start takes up again; the demo uses it.
// StartPostgres, StartS3 and StartTemporal are for tests: a fresh server in a
// temporary folder, which fails the test when it cannot run and is gone when the
// test ends.
//
// Every server listens on 127.0.0.1 alone, has random credentials, and dies with
// the program that started it, even if that is killed.
package devserver
