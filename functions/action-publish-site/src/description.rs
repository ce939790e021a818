//! What the action is, for `stagewright describe`, its page and its custom action type.

use shared::{
    describe::{Described, Description, Kind, Parameter},
    port::{Artifacts, CacheInvalidator, SiteBucket},
};

use crate::PublishSite;

impl<A: Artifacts, S: SiteBucket, C: CacheInvalidator> Described for PublishSite<A, S, C> {
    const DESCRIPTION: Description = Description {
        summary: "Makes a bucket hold exactly the files of an artifact.",
        category: "Deploy",
        provider: "PublishSite",
        inputs: (1, 1),
        outputs: (0, 0),
        parameters: &[
            Parameter {
                name: "bucket",
                kind: Kind::Text,
                required: true,
                default: None,
                meaning: "the bucket of the site",
            },
            Parameter {
                name: "prefix",
                kind: Kind::Text,
                required: false,
                default: Some("\"\""),
                meaning: "folder in the bucket; nothing outside it is touched",
            },
            Parameter {
                name: "cacheControl",
                kind: Kind::Map,
                required: false,
                default: Some("{}"),
                meaning: "Cache-Control by pattern; of several that match, the longest counts",
            },
            Parameter {
                name: "distribution",
                kind: Kind::Text,
                required: false,
                default: None,
                meaning: "id of the CloudFront distribution before the bucket, to be invalidated",
            },
            Parameter {
                name: "deleteRemoved",
                kind: Kind::Boolean,
                required: false,
                default: Some("true"),
                meaning: "whether objects that the artifact lacks are deleted",
            },
            Parameter {
                name: "url",
                kind: Kind::Text,
                required: false,
                default: None,
                meaning: "public address of the site, for later actions",
            },
        ],
        variables: &[
            ("Bucket", "the bucket"),
            ("Uploaded", "files put"),
            ("Deleted", "objects deleted"),
            ("Unchanged", "files that were there already"),
            ("Bytes", "bytes put"),
            ("Url", "as given"),
            ("InvalidationId", "of CloudFront, with `distribution`"),
        ],
        ledger: false,
        permissions: &[
            ("s3:ListBucket", "on the bucket"),
            ("s3:GetObject", "on its objects"),
            ("s3:PutObject", "on its objects"),
            ("s3:DeleteObject", "on its objects, with `deleteRemoved`"),
            ("cloudfront:CreateInvalidation", "on the distribution"),
        ],
    };
}
