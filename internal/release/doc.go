// Package release holds what is known of a service's releases: which were deployed,
// which were seen to be well, and so which is the last known good one. It is pure.
//
// The zero value of every judgement here means "not known".
package release
