//! UpdateMapRun: another concurrency or tolerance while a map run goes on.

use super::{Refusal, Turn};
use crate::{event::RunUpdate, limit, machine::Phase};

impl Turn<'_> {
    pub(super) fn update_run(&mut self, update: &RunUpdate) -> Result<(), Refusal> {
        let found = self
            .machine
            .frames
            .iter()
            .find_map(|(id, frame)| match &frame.phase {
                Phase::Map(mapping) if mapping.run.as_deref() == Some(&update.run) => Some(*id),
                _ => None,
            });
        let id = found.ok_or_else(|| Refusal::NoRun(update.run.clone()))?;
        if let Some(mapping) = self.mapping(id) {
            if let Some(most) = update.concurrency {
                mapping.most = match usize::try_from(most) {
                    Ok(0) | Err(_) => limit::DISTRIBUTED_CONCURRENCY,
                    Ok(most) => most.min(limit::DISTRIBUTED_CONCURRENCY),
                };
            }
            if let Some(count) = update.tolerated_count {
                mapping.tolerated.0 = Some(count);
            }
            if let Some(percentage) = update.tolerated_percentage {
                mapping.tolerated.1 = Some(percentage);
            }
        }
        self.show_run(id, "RUNNING");
        if let Err(trouble) = self.pump(id) {
            self.map_trouble(id, &trouble);
        }
        Ok(())
    }
}
