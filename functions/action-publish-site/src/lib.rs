//! `action-publish-site`: makes a bucket hold exactly the files of an artifact.
//!
//! - **Trigger**: a pipeline's Lambda invoke action (`CodePipeline.job`).
//! - **Effects**: reads its input artifact with the job's own credentials; lists the bucket below `prefix`, puts new and
//!   changed files (assets before pages), deletes what the artifact lacks, leaves unchanged objects alone, never
//!   touches anything outside `prefix`. With `distribution`, each run ends with one CloudFront invalidation of
//!   `/<prefix>*`, also when nothing changed: an earlier attempt may have stopped before it.
//! - **Permissions**: `codepipeline:PutJobSuccessResult`, `codepipeline:PutJobFailureResult`; on the site's bucket
//!   `s3:ListBucket`, `s3:GetObject`, `s3:PutObject`, `s3:DeleteObject`; `cloudfront:CreateInvalidation` on the
//!   distribution; its own log group.
//! - **Failure**: the bucket may hold a mixture: assets of the new site, pages of the old. Pages never point to
//!   assets that are missing. Retrying the stage carries on where it stopped. An action that runs out of time
//!   continues by itself with a token.
//!
//! Parameters (JSON in `UserParameters`, unknown fields refused): `bucket`; `prefix`; `cacheControl`, a table of
//! patterns and values; `distribution`; `deleteRemoved` (true); `url`. Output variables: `Bucket`, `Uploaded`,
//! `Deleted`, `Unchanged`, `Bytes`, and `Url` and `InvalidationId` where they exist.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde::{Deserialize, Serialize};
use shared::{
    action::{Action, CutOff, Done, Request, Step},
    fault::{Fault, FaultKind},
    id::ObjectKey,
    job::Details,
    port::{Artifacts, CacheInvalidator, Listed, PortError, SiteBucket},
};
use tokio::time::Instant;

use crate::{
    params::Params,
    plan::{Effect, LocalFile, RemoteObject, Wave, plan, worth_asking},
    spool::{Site, unpack},
};

mod description;
mod glob;
pub mod headers;
pub mod params;
pub mod plan;
pub mod spool;

/// The action over its three ports.
#[derive(Debug)]
pub struct PublishSite<A, S, C> {
    artifacts: A,
    site: S,
    cdn: C,
}

/// What earlier steps did, for the output variables; what is left to do is read from the bucket each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Files put.
    pub uploaded: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects deleted.
    pub deleted: u64,
}

/// Requests under way at the same time: enough to hide S3's latency, few enough for a 128 MB function.
const AT_ONCE: usize = 8;
/// The share of a step's time after which nothing new is begun, in percent.
const LAST_START: u32 = 80;
const AGAIN_IN: Duration = Duration::from_secs(1);

impl<A, S, C> PublishSite<A, S, C> {
    /// The action over these ports.
    pub fn new(artifacts: A, site: S, cdn: C) -> Self {
        Self {
            artifacts,
            site,
            cdn,
        }
    }
}

impl<A: Artifacts, S: SiteBucket, C: CacheInvalidator> Action for PublishSite<A, S, C> {
    const NAME: &'static str = "action-publish-site";
    type Params = Params;
    type Progress = Progress;
    const STOPS: bool = false;
    const FIRST_STEP_CUT_OFF: CutOff = CutOff::AskAgain;

    async fn step(&self, request: Request<'_, Params, Progress>) -> Result<Step<Progress>, Fault> {
        let last_start = Instant::now() + request.budget * LAST_START / 100;
        let params = request.params;
        let site = unpack(&self.artifacts, request.job, params).await?;
        let remote = self.look(params, &site).await?;
        let effects = plan(&site.files, &remote, &params.prefix, params.delete_removed);
        let puts = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Put { .. }))
            .count();
        let unchanged = site.files.len() - puts;
        let before = request.progress.unwrap_or_default();
        let (after, finished) = self
            .perform(params, &site, &effects, before, last_start)
            .await?;
        if !finished {
            return Ok(wait(params, after, &site, unchanged as u64, before));
        }
        let invalidation = match &params.distribution {
            None => None,
            Some(distribution) => Some(
                self.cdn
                    .invalidate(
                        distribution,
                        &[format!("/{}*", url_path(&params.prefix))],
                        &request.job.run_key,
                    )
                    .await?,
            ),
        };
        // What an earlier step of this run put is unchanged by now, but it was uploaded all the same.
        let unchanged = (unchanged as u64).saturating_sub(before.uploaded);
        Ok(Step::Done(done(params, after, unchanged, invalidation)))
    }
}

impl<A, S: SiteBucket, C> PublishSite<A, S, C> {
    /// What the bucket holds, with the headers of what may be unchanged.
    async fn look(&self, params: &Params, site: &Site) -> Result<Vec<RemoteObject>, Fault> {
        let listed = self
            .site
            .list(&params.bucket, &params.prefix)
            .await
            .map_err(|error| of_bucket(params, error))?;
        let asked = worth_asking(&site.files, &listed);
        let mut found = Vec::with_capacity(listed.len());
        let mut listed = listed.into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < AT_ONCE
                && let Some(object) = listed.next()
            {
                match asked.contains(&object.key) {
                    true => running.push(self.with_headers(params, object)),
                    false => found.push(RemoteObject {
                        listed: object,
                        headers: None,
                    }),
                }
            }
            match running.next().await {
                None => return Ok(found),
                Some(object) => found.push(object?),
            }
        }
    }

    async fn with_headers(&self, params: &Params, listed: Listed) -> Result<RemoteObject, Fault> {
        let headers = match self.site.head(&params.bucket, &listed.key).await {
            Ok(headers) => Some(headers),
            // Gone since the listing: it will be put.
            Err(PortError::NotFound { .. }) => None,
            Err(error) => return Err(of_bucket(params, error)),
        };
        Ok(RemoteObject { listed, headers })
    }

    /// Carries out the effects in order; answers what was done in all, and whether that was everything.
    async fn perform(
        &self,
        params: &Params,
        site: &Site,
        effects: &[Effect<'_>],
        mut progress: Progress,
        last_start: Instant,
    ) -> Result<(Progress, bool), Fault> {
        for wanted in [Wave::Assets, Wave::Pages] {
            let files: Vec<&LocalFile> = effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::Put { file, wave } if *wave == wanted => Some(*file),
                    _ => None,
                })
                .collect();
            let (uploaded, bytes) = self.put(params, site, &files, last_start).await?;
            progress.uploaded += uploaded;
            progress.bytes += bytes;
            if uploaded < files.len() as u64 {
                return Ok((progress, false));
            }
        }
        for keys in effects.iter().filter_map(|effect| match effect {
            Effect::Delete { keys } => Some(keys),
            Effect::Put { .. } => None,
        }) {
            if Instant::now() >= last_start {
                return Ok((progress, false));
            }
            self.delete(params, keys).await?;
            progress.deleted += keys.len() as u64;
        }
        Ok((progress, true))
    }

    /// Puts files side by side until all are there or it is too late to begin another. Answers how many, and bytes.
    async fn put(
        &self,
        params: &Params,
        site: &Site,
        files: &[&LocalFile],
        last_start: Instant,
    ) -> Result<(u64, u64), Fault> {
        let (mut uploaded, mut bytes) = (0, 0);
        let mut files = files.iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < AT_ONCE
                && Instant::now() < last_start
                && let Some(file) = files.next()
            {
                running.push(self.put_one(params, site, file));
            }
            match running.next().await {
                None => return Ok((uploaded, bytes)),
                Some(size) => {
                    bytes += size?;
                    uploaded += 1;
                }
            }
        }
    }

    async fn put_one(&self, params: &Params, site: &Site, file: &LocalFile) -> Result<u64, Fault> {
        self.site
            .put(&params.bucket, &file.key, &file.headers, &site.place(file))
            .await
            .map_err(|error| of_bucket(params, error))?;
        Ok(file.size)
    }

    async fn delete(&self, params: &Params, keys: &[ObjectKey]) -> Result<(), Fault> {
        self.site
            .delete(&params.bucket, keys)
            .await
            .map_err(|error| of_bucket(params, error))
    }
}

fn of_bucket(params: &Params, error: PortError) -> Fault {
    match error {
        PortError::NotFound { .. } => Fault::new(
            FaultKind::Configuration,
            format!("the bucket {} does not exist", params.bucket),
        )
        .because(error),
        PortError::Denied { .. } => Fault::new(
            FaultKind::Permission,
            format!(
                "{error}: the function's role needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject on {}",
                params.bucket
            ),
        )
        .because(error),
        error => error.into(),
    }
}

/// A prefix as CloudFront takes it in a path: everything but unreserved characters and `/` in percent form.
fn url_path(prefix: &str) -> String {
    prefix
        .bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(b).to_string()
            }
            b => format!("%{b:02X}"),
        })
        .collect()
}

fn wait(
    params: &Params,
    progress: Progress,
    site: &Site,
    unchanged: u64,
    before: Progress,
) -> Step<Progress> {
    let total = site.files.len() as u64;
    let there = unchanged + (progress.uploaded - before.uploaded);
    let details = Details {
        summary: Some(format!("{there} of {total} files are in {}", params.bucket)),
        external_id: None,
        percent: u8::try_from(there * 100 / total.max(1))
            .ok()
            .map(|n| n.min(99)),
        link: params.url.clone(),
    };
    Step::Wait {
        progress,
        details,
        again_in: AGAIN_IN,
    }
}

fn done(params: &Params, progress: Progress, unchanged: u64, invalidation: Option<String>) -> Done {
    let Progress {
        uploaded,
        bytes,
        deleted,
    } = progress;
    let summary = format!(
        "{uploaded} uploaded, {deleted} deleted, {unchanged} unchanged in {}/{}",
        params.bucket, params.prefix
    );
    let variables = [
        ("Bucket", Some(params.bucket.to_string())),
        ("Uploaded", Some(uploaded.to_string())),
        ("Deleted", Some(deleted.to_string())),
        ("Unchanged", Some(unchanged.to_string())),
        ("Bytes", Some(bytes.to_string())),
        ("Url", params.url.clone()),
        ("InvalidationId", invalidation),
    ];
    Done {
        details: Details {
            summary: Some(summary),
            external_id: None,
            percent: Some(100),
            link: params.url.clone(),
        },
        variables: variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect::<BTreeMap<_, _>>(),
    }
}

#[cfg(test)]
mod tests;
