//! A file as an object of S3.

use std::path::Path;

use jiff::Timestamp;

use super::{Client, CloudError, PATIENCE, PAUSES, encoded, sign};

/// In place of a body's digest: the file is sent as it is read.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// A large file gets longer, by this many bytes a second.
const SLOWEST: u64 = 1 << 20;

impl Client {
    /// Stores the file under this key; the bucket must be there.
    ///
    /// # Errors
    /// See [`CloudError`].
    pub async fn put(&self, bucket: &str, key: &str, file: &Path) -> Result<(), CloudError> {
        for pause in PAUSES {
            match self.put_once(bucket, key, file).await {
                Err(error) if error.passes() => tokio::time::sleep(pause).await,
                other => return other,
            }
        }
        self.put_once(bucket, key, file).await
    }

    async fn put_once(&self, bucket: &str, key: &str, file: &Path) -> Result<(), CloudError> {
        let unreadable = |source| CloudError::File {
            path: file.display().to_string(),
            source,
        };
        let open = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let length = open.metadata().await.map_err(unreadable)?.len();
        let key: Vec<String> = key.split('/').map(encoded).collect();
        let path = format!("/{}/{}", encoded(bucket), key.join("/"));
        let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers = vec![
            ("host", self.host()),
            ("x-amz-content-sha256", UNSIGNED),
            ("x-amz-date", &now),
        ];
        if let Some(token) = self.caller.token() {
            headers.push(("x-amz-security-token", token));
        }
        let signed = sign::Asked {
            service: self.service,
            method: "PUT",
            path: &path,
            digest: UNSIGNED,
        };
        let authorization = self.caller.authorization(&signed, &now, &headers);
        let url = format!("{}{path}", self.endpoint.trim_end_matches('/'));
        let mut request = self.http.put(url);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
            request = request.header(*name, *value);
        }
        let request = request
            .header("authorization", authorization)
            .header("content-length", length)
            .timeout(PATIENCE + std::time::Duration::from_secs(length / SLOWEST))
            .body(reqwest::Body::from(open));
        self.answered("PutObject", request).await?;
        Ok(())
    }
}
