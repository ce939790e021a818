//! Four-eyes: who may not approve because the work is theirs.

use std::collections::BTreeMap;

use super::{
    PersonId, Rule,
    evaluate::{Actor, Circumstances},
};
use crate::approval::words;

/// Why people may not approve: by person, and why nobody may.
pub(super) struct OwnWork {
    pub(super) of: BTreeMap<PersonId, String>,
    pub(super) nobody: Option<String>,
}

pub(super) fn own_work(rule: &Rule, facts: &Circumstances) -> OwnWork {
    let mut own = OwnWork {
        of: BTreeMap::new(),
        nobody: None,
    };
    let eyes = rule.four_eyes;
    let mut look = |actor: &Actor, did: &str, unknown: &str| match actor {
        Actor::Machine => {}
        Actor::Unknown => {
            own.nobody.get_or_insert_with(|| unknown.to_owned());
        }
        Actor::Named(names) => {
            let mut known = false;
            for id in names.iter().filter_map(|name| rule.person_named(name)) {
                known = true;
                let why = format!(
                    "{} {did}, and the rule \"{}\" wants somebody else to approve.",
                    rule.called(id),
                    rule.name
                );
                own.of.entry(id.clone()).or_insert(why);
            }
            if !known {
                let who = names.first().map_or("", String::as_str);
                own.nobody.get_or_insert_with(|| {
                    format!(
                        "{} {did}, and the rules do not say who that is: it could be you. Add the name as an alias of a person.",
                        words::one_line(who, 80)
                    )
                });
            }
        }
    };
    if eyes.trigger {
        look(
            &facts.trigger,
            "started this execution",
            "It is not known who started this execution, so nobody can be told to be somebody else.",
        );
    }
    if eyes.authors {
        let unknown =
            "It is not known who wrote this change, so nobody can be told to be somebody else.";
        if facts.authors.is_empty() {
            look(&Actor::Unknown, "", unknown);
        }
        for author in &facts.authors {
            look(author, "wrote this change", unknown);
        }
    }
    if eyes.unknown_allowed {
        own.nobody = None;
    }
    own
}
