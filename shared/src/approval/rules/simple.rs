//! The rule of an install without a file: so many of these addresses, everywhere.

use std::collections::BTreeMap;

use super::{
    RuleSet,
    check::{Checked, VERSION},
    wire,
};

impl RuleSet {
    /// `needed` of these addresses, everywhere; anybody's rejection decides, and people may approve their own work:
    /// what an install without a rules file has.
    ///
    /// # Errors
    /// When two addresses are one person's, or they are fewer than needed.
    pub fn simple<'a>(approvers: impl IntoIterator<Item = &'a str>, needed: u32) -> Checked<Self> {
        let ids: Vec<String> = approvers.into_iter().map(str::to_owned).collect();
        let person = |id: &String| wire::Person {
            mail: Some(id.clone()),
            ..wire::Person::default()
        };
        let set = Self::check(wire::File {
            version: VERSION,
            people: ids.iter().map(|id| (id.clone(), person(id))).collect(),
            groups: BTreeMap::from([("approvers".to_owned(), ids)]),
            channels: BTreeMap::new(),
            calendars: BTreeMap::new(),
            freezes: BTreeMap::new(),
            gates: BTreeMap::new(),
            rules: vec![wire::Rule {
                name: "default".to_owned(),
                holds_for: wire::Place::default(),
                needs: vec![wire::Need {
                    group: "approvers".to_owned(),
                    approvals: needed,
                }],
                in_order: false,
                veto: None,
                four_eyes: wire::FourEyes {
                    trigger: false,
                    authors: false,
                    unknown: wire::Unknown::Allow,
                },
                hours: None,
                freezes: Vec::new(),
                change_calendars: Vec::new(),
                approve_ahead: false,
                gates: Vec::new(),
                escalate_to: Vec::new(),
                break_glass: None,
                when_newer_waits: None,
                level: None,
            }],
        });
        let mut set = set.map_err(|mut faults| faults.swap_remove(0))?;
        for (_, rule) in &mut set.rules {
            rule.simple = true;
        }
        Ok(set)
    }
}
