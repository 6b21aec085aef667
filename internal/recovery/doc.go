// Package recovery holds the nouns of Lifeboat and the rules between them. It is
// pure: standard library only, no clock, no I/O.
//
//   - A recovery set is one run's backup of a service: one id, one signed
//     manifest, naming every source. The set exists from the moment its manifest
//     does.
//   - An artefact is what one source left in a set: the sealed dump and its
//     sealed companions.
//   - A fingerprint says what a dump holds, table by table, so that a restored
//     copy can be compared with its source.
//   - A proof is the record of one try to verify a set. Proofs are only ever
//     added.
//   - A level says how far a set has climbed (stored, read back, restored,
//     proven); a verdict says how a try ended (proven, disproven, inconclusive).
//   - A plan is the resolved configuration of one service, free of secrets, that
//     a run uses from its first step to its last.
package recovery
