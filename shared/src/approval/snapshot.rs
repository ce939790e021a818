//! What an approver is shown, as one digest.

use sha2::{Digest, Sha256};

use crate::approval::request::{Record, digest_text};

impl Record {
    /// Digest of what an approver is shown; a vote counts only for what was seen.
    ///
    /// Votes are left out on purpose: two approvers answering at once both see what is released.
    pub fn snapshot_digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        let r = &self.request;
        part("stagewright snapshot v4");
        part(r.id.as_str());
        part(r.execution.as_str());
        part(r.custom_data.as_deref().unwrap_or_default());
        part(r.external_link.as_deref().unwrap_or_default());
        part(self.rule.source());
        for revision in &r.facts.revisions {
            part(&revision.name);
            part(&revision.id);
            part(revision.message.as_deref().unwrap_or_default());
        }
        let past = &r.facts.history;
        part(past.current.as_ref().map_or("", |e| e.execution.as_str()));
        for revision in &past.between {
            part(&revision.id);
        }
        part(&past.more.to_string());
        // How the stage ended last, and what is deployed where: beside `current`, to which a rollback leads.
        if let Some(last) = &past.last {
            part(last.execution.as_str());
            part(if last.succeeded {
                "succeeded"
            } else {
                "failed"
            });
        }
        part("newer");
        for newer in &past.newer {
            part(newer.execution.as_str());
        }
        for made in &r.facts.artifacts {
            part("artifact");
            part(&made.name);
            part(made.location.as_deref().unwrap_or_default());
            part(made.digest.as_deref().unwrap_or_default());
        }
        part("deploys");
        for deploy in &past.deploys {
            part(&deploy.provider);
            for text in [&deploy.what, &deploy.region, &deploy.account] {
                part(text.as_deref().unwrap_or_default());
            }
        }
        digest_text(hash)
    }
}
