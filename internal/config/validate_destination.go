package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

func (v *validator) destinations() {
	list := v.config.Destinations
	v.unique("destinations", len(list), func(i int) string { return list[i].Name })
	places := map[[2]string]int{}
	for i := range list {
		d := &list[i]
		v.destination(at("destinations", i), d)
		place := [2]string{strings.TrimRight(d.URL, "/"), strings.TrimRight(d.Endpoint, "/")}
		if first, twice := places[place]; twice && d.URL != "" {
			v.problem(at("destinations", i)+".url", "is the same place as "+at("destinations", first), "name another one: a copy beside the original is lost together with it")
			continue
		}
		places[place] = i
	}
}

func (v *validator) destination(path string, d *Destination) {
	if !v.given(path + ".url") {
		return
	}
	u, err := url.Parse(d.URL)
	switch {
	case err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		v.problem(path+".url", "is not a plain URL", "write s3://bucket/prefix or file:///folder, without user and query")
	case u.Scheme == "s3" && !bucketForm.MatchString(u.Host):
		v.problem(path+".url", "names no bucket", "write s3://bucket/prefix; a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")
	case u.Scheme == "s3":
		v.s3(path, d)
	case u.Scheme == "file" && (u.Host != "" || !filepath.IsAbs(u.Path)):
		v.problem(path+".url", "names no absolute folder", "write file:///folder, with three slashes")
	case u.Scheme == "file":
		v.only(path, "s3", "endpoint", "region", "pathStyle", "accessKey", "secretKey", "serverSide", "lock", "class", "classes", "prune")
	default:
		v.problem(path+".url", "is no kind of destination that is known", "write s3://bucket/prefix or file:///folder")
	}
}

func (v *validator) s3(path string, d *Destination) {
	for _, key := range []string{"accessKey", "secretKey"} {
		if !v.given(path + "." + key) {
			v.problem(path+"."+key, "is missing", "write env:NAME or file:PATH; s3 destinations need it")
		}
	}
	v.storage(path, d)
	if d.Endpoint == "" && d.Region == "" {
		v.problem(path+".region", "is missing", "write the bucket's AWS region, or an endpoint if it is not at AWS")
	}
	if d.Endpoint == "" {
		return
	}
	u, err := url.Parse(d.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		v.problem(path+".endpoint", "is not the address of a server", "write http://host:port or https://host")
	}
}

var (
	classForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$`)
	tiers     = []string{recovery.TierHourly, recovery.TierDaily, recovery.TierWeekly, recovery.TierMonthly, recovery.TierYearly}
)

// storage checks how a bucket is to store what it gets.
func (v *validator) storage(path string, d *Destination) {
	if s := d.ServerSide; s != nil && s.Algorithm != "aws:kms" {
		v.only(path+".serverSide", "aws:kms", "key")
	}
	v.class(path+".class", d.Class)
	if slices.Contains(coldClasses, strings.ToUpper(d.Class)) {
		v.problem(path+".class", "would let each backup wait for up to 48 hours until it can be read back", "write it into classes, such as { yearly: "+strings.ToUpper(d.Class)+" }: sets are moved there once they are old")
	}
	for tier, class := range d.Classes {
		field := join(path+".classes", tier)
		if !slices.Contains(tiers, tier) {
			v.problem(field, "is for no tier that is known", suggest(tier, tiers))
			continue
		}
		if class == "" {
			v.problem(field, "is missing", classMend)
		}
		v.class(field, class)
	}
	for class := range d.Prices {
		if !classForm.MatchString(class) {
			v.problem(join(path+".prices", class), "is for no storage class", classMend)
		}
	}
}

// coldClasses are those whose objects must be fetched before they can be read, for
// hours: https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html
var coldClasses = []string{"GLACIER", "DEEP_ARCHIVE"}

const classMend = "write its name as the provider has it, such as STANDARD_IA"

func (v *validator) class(path, class string) {
	if v.given(path) && !classForm.MatchString(class) {
		v.problem(path, "is not a storage class", classMend)
	}
}
