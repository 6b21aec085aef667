package config

import (
	"errors"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// RevealHere reads the secret that a reference leads to where there is no config
// file; file:PATH is relative to the working folder. Faults are those of
// [Config.Reveal].
func RevealHere(ref string) (Secret, error) {
	if !IsReference(ref) {
		return Secret{}, recovery.NewFault(recovery.Permanent, errors.New("read secret: what should refer to it is neither env:NAME nor file:PATH"),
			"keep the secret in the environment or in a file, and write env:NAME or file:PATH")
	}
	return (&Config{}).Reveal(ref)
}

// S3Keys reads the keys of an S3 account from the environment, where there is no
// config file: from what the two references name, else from where `starter init`
// puts them, else from the variables that S3 clients use. The fault is Permanent.
func S3Keys(accessKey, secretKey string) (access, secret Secret, err error) {
	for _, pair := range [][2]string{
		{accessKey, secretKey},
		{"env:LIFEBOAT_S3_ACCESS_KEY", "env:LIFEBOAT_S3_SECRET_KEY"},
		{"env:AWS_ACCESS_KEY_ID", "env:AWS_SECRET_ACCESS_KEY"},
	} {
		access, accessErr := RevealHere(pair[0])
		secret, secretErr := RevealHere(pair[1])
		if accessErr == nil && secretErr == nil {
			return access, secret, nil
		}
	}
	return Secret{}, Secret{}, recovery.NewFault(recovery.Permanent, errors.New("read the bucket's keys: they are not in the environment, and no recovery kit holds them"),
		"export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the kit says where they can be had")
}
