package config

import (
	"regexp"
	"strconv"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Destination is where sets are kept.
type Destination struct {
	Name       string            `yaml:"name" jsonschema:"required" jsonschema_description:"A short name, such as main."`
	URL        string            `yaml:"url" jsonschema:"required" jsonschema_description:"s3://bucket/prefix, or file:///folder."`
	Endpoint   string            `yaml:"endpoint" jsonschema_description:"The S3 server, such as https://s3.example.com; left out for AWS."`
	Region     string            `yaml:"region" jsonschema_description:"Needed for AWS; us-east-1 by default where an endpoint is given."`
	PathStyle  bool              `yaml:"pathStyle" jsonschema_description:"The server wants the bucket in the path, not in the host name."`
	AccessKey  Reference         `yaml:"accessKey" jsonschema_description:"The access key id; needed for s3."`
	SecretKey  Reference         `yaml:"secretKey" jsonschema_description:"The secret access key; needed for s3."`
	ServerSide *ServerSide       `yaml:"serverSide" jsonschema_description:"s3: how the server encrypts what it stores, besides the seal."`
	Lock       *Lock             `yaml:"lock" jsonschema_description:"s3: keeps each object of a set from being changed or removed for a time; the bucket must have been made with object lock."`
	Class      string            `yaml:"class" jsonschema_description:"s3: storage class of new sets, one that can be read at once, such as STANDARD_IA; the server's own choice by default."`
	Classes    map[string]string `yaml:"classes" jsonschema_description:"s3: tier (hourly, daily, weekly, monthly, yearly) → storage class to which a set is moved once only that tier keeps it."`
	Prune      *Prune            `yaml:"prune" jsonschema_description:"s3: credentials of their own for removing sets, so that the others need not be able to."`
	Price      *Price            `yaml:"price" jsonschema_description:"What a GB costs here in a month, such as 0.023; only for starter cost."`
	Prices     map[string]Price  `yaml:"prices" jsonschema_description:"Storage class → what a GB costs in it in a month, where that is another price."`
}

// ServerSide says how an S3 server encrypts what it stores.
type ServerSide struct {
	Algorithm string `yaml:"algorithm" jsonschema:"required,enum=AES256,enum=aws:kms" jsonschema_description:"With the server's own key, or with one of a key service."`
	Key       string `yaml:"key" jsonschema_description:"aws:kms: the key's id; the account's own by default."`
}

// Lock is the retention that each object gets when it is written.
type Lock struct {
	Mode string            `yaml:"mode" jsonschema:"required,enum=governance,enum=compliance" jsonschema_description:"Whether an administrator can lift it (governance), or nobody (compliance)."`
	For  recovery.Duration `yaml:"for" jsonschema:"required" jsonschema_description:"How long, such as 30d."`
}

// Prune holds the credentials that remove sets.
type Prune struct {
	AccessKey Reference `yaml:"accessKey" jsonschema:"required" jsonschema_description:"The access key id."`
	SecretKey Reference `yaml:"secretKey" jsonschema:"required" jsonschema_description:"The secret access key."`
}

func (d Destination) spec() recovery.DestinationSpec {
	spec := recovery.DestinationSpec{
		Name: d.Name, URL: d.URL, Endpoint: d.Endpoint, Region: d.Region, PathStyle: d.PathStyle,
		AccessKey: string(d.AccessKey), SecretKey: string(d.SecretKey), Class: d.Class, Classes: d.Classes,
	}
	if d.ServerSide != nil {
		spec.ServerSide = &recovery.ServerSideSpec{Algorithm: d.ServerSide.Algorithm, Key: d.ServerSide.Key}
	}
	if d.Lock != nil {
		spec.Lock = &recovery.LockSpec{Mode: d.Lock.Mode, For: d.Lock.For}
	}
	if d.Prune != nil {
		spec.PruneAccessKey, spec.PruneSecretKey = string(d.Prune.AccessKey), string(d.Prune.SecretKey)
	}
	return spec
}

// Price is what a GB (10⁹ bytes) costs in a month, in the file's currency.
type Price float64

var priceForm = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)

// parse reads text; it returns false if that is no price.
func (p *Price) parse(text string) bool {
	if !priceForm.MatchString(text) {
		return false
	}
	number, err := strconv.ParseFloat(text, 64)
	*p = Price(number)
	return err == nil
}

// Prices are what storing costs, as far as the file says.
type Prices struct {
	Currency     string                       // such as USD
	Destinations map[string]DestinationPrices // by name; those without any price are not here
}

// DestinationPrices are what a GB (10⁹ bytes) costs in a month at a destination.
type DestinationPrices struct {
	Default *float64           // nil: not known
	Classes map[string]float64 // by storage class
}

// Prices returns what storing costs.
func (c *Config) Prices() Prices {
	prices := Prices{Currency: c.Currency, Destinations: map[string]DestinationPrices{}}
	for _, d := range c.Destinations {
		if d.Price == nil && len(d.Prices) == 0 {
			continue
		}
		of := DestinationPrices{Default: (*float64)(d.Price), Classes: map[string]float64{}}
		for class, price := range d.Prices {
			of.Classes[class] = float64(price)
		}
		prices.Destinations[d.Name] = of
	}
	return prices
}
