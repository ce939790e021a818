//! Which S3 operation a request is.

use http::Method;

/// What is built of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    PutBucketVersioning,
    GetBucketNotificationConfiguration,
    PutBucketNotificationConfiguration,
    GetBucketWebsite,
    PutBucketWebsite,
    DeleteBucketWebsite,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    DeleteObjects,
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

impl Operation {
    /// Whether it only reads one object.
    pub const fn reads_object(self) -> bool {
        matches!(self, Self::GetObject | Self::HeadObject)
    }

    /// Whether it is part of writing one object.
    pub const fn writes_object(self) -> bool {
        matches!(
            self,
            Self::PutObject
                | Self::CopyObject
                | Self::CreateMultipartUpload
                | Self::UploadPart
                | Self::UploadPartCopy
                | Self::CompleteMultipartUpload
                | Self::AbortMultipartUpload
                | Self::ListParts
        )
    }
}

impl Operation {
    /// What a policy must allow for it.
    pub const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::ListBuckets => &["s3:ListAllMyBuckets"],
            Self::CreateBucket => &["s3:CreateBucket"],
            Self::DeleteBucket => &["s3:DeleteBucket"],
            Self::GetBucketLocation => &["s3:GetBucketLocation"],
            Self::GetBucketVersioning => &["s3:GetBucketVersioning"],
            Self::PutBucketVersioning => &["s3:PutBucketVersioning"],
            Self::GetBucketNotificationConfiguration => &["s3:GetBucketNotification"],
            Self::PutBucketNotificationConfiguration => &["s3:PutBucketNotification"],
            Self::GetBucketWebsite => &["s3:GetBucketWebsite"],
            Self::PutBucketWebsite => &["s3:PutBucketWebsite"],
            Self::DeleteBucketWebsite => &["s3:DeleteBucketWebsite"],
            Self::HeadBucket | Self::ListObjects | Self::ListObjectsV2 => &["s3:ListBucket"],
            Self::ListObjectVersions => &["s3:ListBucketVersions"],
            Self::ListMultipartUploads => &["s3:ListBucketMultipartUploads"],
            Self::GetObject | Self::HeadObject => &["s3:GetObject"],
            Self::PutObject
            | Self::CreateMultipartUpload
            | Self::UploadPart
            | Self::CompleteMultipartUpload => &["s3:PutObject"],
            Self::CopyObject | Self::UploadPartCopy => &["s3:GetObject", "s3:PutObject"],
            Self::DeleteObject | Self::DeleteObjects => &["s3:DeleteObject"],
            Self::GetObjectTagging => &["s3:GetObjectTagging"],
            Self::PutObjectTagging => &["s3:PutObjectTagging"],
            Self::DeleteObjectTagging => &["s3:DeleteObjectTagging"],
            Self::AbortMultipartUpload => &["s3:AbortMultipartUpload"],
            Self::ListParts => &["s3:ListMultipartUploadParts"],
        }
    }
}

/// Query parameters that make a request another operation, as S3 lists them.
const SUBRESOURCES: [&str; 38] = [
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
];

/// Tells the operation, or names what is not built.
pub fn operation(
    method: &Method,
    bucket: bool,
    key: bool,
    query: &[(String, String)],
    copies: bool,
) -> Result<Operation, String> {
    let mut named: Vec<&str> = query
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| SUBRESOURCES.contains(name))
        .collect();
    named.sort_unstable();
    let place = (bucket, key);
    Ok(match (method.as_str(), place, named.as_slice()) {
        ("GET", (false, _), []) => Operation::ListBuckets,
        ("PUT", (true, false), []) => Operation::CreateBucket,
        ("HEAD", (true, false), []) => Operation::HeadBucket,
        ("DELETE", (true, false), []) => Operation::DeleteBucket,
        ("GET", (true, false), ["location"]) => Operation::GetBucketLocation,
        ("GET", (true, false), ["versioning"]) => Operation::GetBucketVersioning,
        ("PUT", (true, false), ["versioning"]) => Operation::PutBucketVersioning,
        ("GET", (true, false), ["notification"]) => Operation::GetBucketNotificationConfiguration,
        ("PUT", (true, false), ["notification"]) => Operation::PutBucketNotificationConfiguration,
        ("GET", (true, false), ["website"]) => Operation::GetBucketWebsite,
        ("PUT", (true, false), ["website"]) => Operation::PutBucketWebsite,
        ("DELETE", (true, false), ["website"]) => Operation::DeleteBucketWebsite,
        ("GET", (true, false), []) if has(query, "list-type", "2") => Operation::ListObjectsV2,
        ("GET", (true, false), []) => Operation::ListObjects,
        ("GET", (true, false), ["versions"]) => Operation::ListObjectVersions,
        ("GET", (true, false), ["uploads"]) => Operation::ListMultipartUploads,
        ("POST", (true, false), ["delete"]) => Operation::DeleteObjects,
        ("GET", (true, true), []) => Operation::GetObject,
        ("HEAD", (true, true), []) => Operation::HeadObject,
        ("PUT", (true, true), []) if copies => Operation::CopyObject,
        ("PUT", (true, true), []) => Operation::PutObject,
        ("DELETE", (true, true), []) => Operation::DeleteObject,
        ("GET", (true, true), ["tagging"]) => Operation::GetObjectTagging,
        ("PUT", (true, true), ["tagging"]) => Operation::PutObjectTagging,
        ("DELETE", (true, true), ["tagging"]) => Operation::DeleteObjectTagging,
        ("POST", (true, true), ["uploads"]) => Operation::CreateMultipartUpload,
        ("PUT", (true, true), ["partNumber", "uploadId"]) if copies => Operation::UploadPartCopy,
        ("PUT", (true, true), ["partNumber", "uploadId"]) => Operation::UploadPart,
        ("POST", (true, true), ["uploadId"]) => Operation::CompleteMultipartUpload,
        ("DELETE", (true, true), ["uploadId"]) => Operation::AbortMultipartUpload,
        ("GET", (true, true), ["uploadId"]) => Operation::ListParts,
        (method, _, named) => {
            let place = match place {
                (false, _) => "/",
                (true, false) => "/BUCKET",
                (true, true) => "/BUCKET/KEY",
            };
            let query = if named.is_empty() {
                String::new()
            } else {
                format!("?{}", named.join("&"))
            };
            return Err(format!("{method} {place}{query}"));
        }
    })
}

fn has(query: &[(String, String)], name: &str, value: &str) -> bool {
    query.iter().any(|(n, v)| n == name && v == value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::call::form;

    #[test]
    fn operations_are_told() {
        let check = |method: &str, bucket, key, query: &str, expected: Result<Operation, &str>| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let told = operation(&method, bucket, key, &form(query.as_bytes()), false);
            assert_eq!(told, expected.map_err(str::to_owned), "{method} {query}");
        };
        check(
            "GET",
            false,
            false,
            "x-id=ListBuckets",
            Ok(Operation::ListBuckets),
        );
        check(
            "GET",
            true,
            false,
            "list-type=2&prefix=a",
            Ok(Operation::ListObjectsV2),
        );
        check("GET", true, false, "", Ok(Operation::ListObjects));
        check(
            "GET",
            true,
            true,
            "versionId=x&X-Amz-Expires=1",
            Ok(Operation::GetObject),
        );
        check(
            "PUT",
            true,
            true,
            "uploadId=u&partNumber=1",
            Ok(Operation::UploadPart),
        );
        check("GET", true, false, "acl", Err("GET /BUCKET?acl"));
        check(
            "POST",
            true,
            true,
            "select&select-type=2",
            Err("POST /BUCKET/KEY?select"),
        );
        check("POST", true, false, "", Err("POST /BUCKET"));
        check(
            "GET",
            true,
            true,
            "partNumber=1",
            Err("GET /BUCKET/KEY?partNumber"),
        );
    }
}
