package postgres

import "strings"

// Name is the database that the service uses.
func (l *Live) Name() (string, error) {
	service, err := l.service()
	if err != nil {
		return "", err
	}
	return service.config.Database, nil
}

// BesideName names a database that was restored beside the live one to stay there;
// set tells from which set.
func BesideName(live, set string) string {
	return shortened(live+"_at_"+strings.ToLower(set), maxName)
}
