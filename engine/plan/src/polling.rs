//! Which sources are polled for changes, and when that ends by itself (`codepipeline.md` 8.2).

use jiff::{SignedDuration, Timestamp};

use crate::{definition::ActionDeclaration, limit::POLLING_IDLE_DAYS, state::Pipeline};

/// Owner and provider of the sources that can be polled.
const POLLED: [(&str, &str); 3] = [
    ("AWS", "S3"),
    ("AWS", "CodeCommit"),
    ("ThirdParty", "GitHub"),
];

impl ActionDeclaration {
    /// Whether the source asks to be polled: PollForSourceChanges is on unless it says "false".
    pub fn is_polled(&self) -> bool {
        let id = &self.action_type_id;
        let wish = self.configuration.get("PollForSourceChanges");
        POLLED.contains(&(id.owner.as_str(), id.provider.as_str()))
            && wish.map(String::as_str) != Some("false")
    }
}

impl Pipeline {
    /// `metadata.pollingDisabledAt`: since when its sources are not polled any more, because nothing ran and nobody changed
    /// it for [`POLLING_IDLE_DAYS`]. Which events count, and that a start or an update ends it, is unconfirmed.
    pub fn polling_disabled_at(&self, now: Timestamp) -> Option<Timestamp> {
        let source = self.definition.stages.first()?;
        if !self.active.is_empty() || !source.actions.iter().any(ActionDeclaration::is_polled) {
            return None;
        }
        let ran = self.latest_stage_run(&source.name);
        let active = ran.map_or(self.updated, |(run, _)| run.updated.max(self.updated));
        let idle = SignedDuration::from_hours(24 * POLLING_IDLE_DAYS);
        let ended = active.checked_add(idle).ok()?;
        (ended <= now).then_some(ended)
    }
}
