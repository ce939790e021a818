//! A rule in one line, for the people it asks.

use super::{Rule, WhenNewerWaits};

impl Rule {
    /// `2 of release-managers, then 1 of security; …`. The simple rule counts those who are asked.
    pub fn told(&self, asked: usize) -> String {
        if self.simple {
            return simple(self.needed(), asked);
        }
        let needs: Vec<String> = self
            .needs
            .iter()
            .map(|need| format!("{} of {}", need.approvals, need.group))
            .collect();
        let mut parts = vec![needs.join(if self.in_order { ", then " } else { " and " })];
        let eyes = self.four_eyes;
        parts.extend(match (eyes.trigger, eyes.authors) {
            (true, true) => Some("nobody who started or wrote it".to_owned()),
            (true, false) => Some("nobody who started it".to_owned()),
            (false, true) => Some("nobody who wrote it".to_owned()),
            (false, false) => None,
        });
        parts.extend(
            self.hours
                .as_ref()
                .map(|hours| format!("within the hours \"{}\" of {}", hours.name, hours.zone_name)),
        );
        parts.push(match &self.veto {
            None => "one rejection decides".to_owned(),
            Some(veto) if veto.is_empty() => "no rejection decides alone".to_owned(),
            Some(veto) => {
                let names: Vec<&str> = veto.iter().map(|id| self.called(id)).collect();
                format!("a rejection by {} decides", names.join(" or "))
            }
        });
        if self.when_newer_waits == WhenNewerWaits::Reject {
            parts.push("rejected by itself once a newer execution waits".to_owned());
        }
        format!("{}: {}", self.name, parts.join("; "))
    }
}

fn simple(needed: u32, asked: usize) -> String {
    match (needed, asked) {
        (1, 1) => "You decide alone".to_owned(),
        (1, asked) => format!("Any one of {asked} approvers; one rejection decides"),
        (needed, asked) if needed as usize == asked => {
            format!("All {asked} approvers; one rejection decides")
        }
        (needed, asked) => format!("{needed} of {asked} approvers; one rejection decides"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_told_in_words() {
        assert_eq!(simple(1, 1), "You decide alone");
        assert_eq!(
            simple(1, 3),
            "Any one of 3 approvers; one rejection decides"
        );
        assert_eq!(simple(2, 3), "2 of 3 approvers; one rejection decides");
        assert_eq!(simple(2, 2), "All 2 approvers; one rejection decides");
    }
}
