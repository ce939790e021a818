//! `breakGlass`: who may decide alone in an emergency, and who looks at it afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BreakGlass, Person, PersonId,
    check::{Checked, error, unknown},
    entries::persons,
    wire,
};
use crate::approval::level::Level;

/// How many days a review has where the file does not say.
const REVIEW_DAYS: u8 = 7;

/// Checks one.
pub(super) fn read(
    here: &str,
    wire: &wire::BreakGlass,
    people: &BTreeMap<PersonId, Person>,
    groups: &BTreeMap<&str, BTreeSet<PersonId>>,
) -> Checked<BreakGlass> {
    let breakers = persons(&format!("{here}.people"), &wire.people, |id| {
        people.contains_key(id)
    })?;
    if breakers.is_empty() {
        let problem = "nobody is named: name them, or leave breakGlass out";
        return Err(error(format!("{here}.people"), problem));
    }
    let place = format!("{here}.reviewedBy");
    let Some(reviewers) = groups.get(wire.reviewed_by.as_str()) else {
        let all = groups.keys().copied();
        return Err(unknown(&place, "group", &wire.reviewed_by, all));
    };
    let alone = |person: &&PersonId| reviewers.iter().all(|r| r == *person);
    if let Some(alone) = breakers.iter().find(alone) {
        let problem = format!("nobody but {alone} would review {alone}: name a larger group");
        return Err(error(place, problem));
    }
    let within_days = wire.review_within_days.unwrap_or(REVIEW_DAYS);
    if !(1..=90).contains(&within_days) {
        let problem = "a review has 1 to 90 days";
        return Err(error(format!("{here}.reviewWithinDays"), problem));
    }
    Ok(BreakGlass {
        people: breakers,
        reviewed_by: wire.reviewed_by.clone(),
        reviewers: reviewers.clone(),
        within_days,
    })
}

/// What is wrong with breaking the glass at this level.
pub(super) fn level(level: Level) -> Option<&'static str> {
    (level == Level::Link).then_some(
        "at level L1 a machine could break the glass: ask for L2 or L3, or leave breakGlass out",
    )
}
