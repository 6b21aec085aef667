package vault

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"

	"github.com/lifeboat-run/lifeboat/internal/recovery"
)

// Weigh adds up the bytes that lie in the folder of each set of a service, by storage
// class; the class is empty where the destination does not tell it. Versions that
// others hide are left out.
func (v *Vault) Weigh(ctx context.Context, service string) (map[recovery.SetID]map[string]int64, error) {
	if err := recovery.CheckName("service", service); err != nil {
		return nil, v.fail(recovery.NewFault(recovery.Permanent, err, ""), "weigh sets")
	}
	bucket, err := v.store.bucket()
	if err != nil {
		return nil, v.fail(err, "weigh the sets of %s", service)
	}
	prefix := recovery.SetsPrefix(service)
	weights := map[recovery.SetID]map[string]int64{}
	for token := blob.FirstPageToken; len(token) > 0; {
		var page []*blob.ListObject
		page, token, err = bucket.ListPage(ctx, token, listPage, &blob.ListOptions{Prefix: prefix})
		if err != nil {
			return nil, v.fail(err, "weigh the sets of %s", service)
		}
		for _, o := range page {
			folder, _, _ := strings.Cut(strings.TrimPrefix(o.Key, prefix), "/")
			set, err := recovery.ParseSetID(folder)
			if err != nil { // not ours
				continue
			}
			if weights[set] == nil {
				weights[set] = map[string]int64{}
			}
			weights[set][classOf(o)] += o.Size
		}
	}
	return weights, nil
}

func classOf(o *blob.ListObject) string {
	var listed types.Object
	if o.As(&listed) {
		return string(listed.StorageClass)
	}
	return ""
}
