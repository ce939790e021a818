//! Tags of rules and buses, by ARN.

use std::collections::BTreeMap;

use super::{Book, Denied, Home, TAGS, denied};
use crate::route::DEFAULT_BUS;

impl Book {
    /// ListTagsForResource.
    ///
    /// # Errors
    /// Nothing has this ARN.
    pub fn tags(&self, home: &Home, arn: &str) -> Result<&BTreeMap<String, String>, Denied> {
        match place(home, arn) {
            Some((bus, Some(rule))) => self.rule(bus, rule).map(|rule| &rule.tags),
            Some((bus, None)) => self.bus(bus).map(|bus| &bus.tags),
            None => unknown(arn),
        }
    }

    /// TagResource.
    ///
    /// # Errors
    /// Nothing has this ARN, a quota.
    pub fn tag(
        &mut self,
        home: &Home,
        arn: &str,
        new: BTreeMap<String, String>,
    ) -> Result<(), Denied> {
        let tags = self.tags_mut(home, arn)?;
        let fresh = new.keys().filter(|key| !tags.contains_key(*key)).count();
        if tags.len() + fresh > TAGS {
            return denied(
                "ValidationException",
                format!("Number of tags exceeds resource tag limit {TAGS}."),
            );
        }
        tags.extend(new);
        Ok(())
    }

    /// UntagResource.
    ///
    /// # Errors
    /// Nothing has this ARN.
    pub fn untag(&mut self, home: &Home, arn: &str, keys: &[String]) -> Result<(), Denied> {
        self.tags_mut(home, arn)?
            .retain(|key, _| !keys.contains(key));
        Ok(())
    }

    fn tags_mut(
        &mut self,
        home: &Home,
        arn: &str,
    ) -> Result<&mut BTreeMap<String, String>, Denied> {
        match place(home, arn) {
            Some((bus, Some(rule))) => self.rule_mut(bus, rule).map(|rule| &mut rule.tags),
            Some((bus, None)) => self.bus_mut(bus).map(|bus| &mut bus.tags),
            None => unknown(arn),
        }
    }
}

/// Bus and rule of an ARN of this home.
fn place<'a>(home: &Home, arn: &'a str) -> Option<(&'a str, Option<&'a str>)> {
    let resource = arn.strip_prefix(&home.arn(""))?;
    let (kind, name) = resource.split_once('/')?;
    match kind {
        "event-bus" => Some((name, None)),
        "rule" => match name.rsplit_once('/') {
            Some((bus, rule)) => Some((bus, Some(rule))),
            None => Some((DEFAULT_BUS, Some(name))),
        },
        _ => None,
    }
}

fn unknown<T>(arn: &str) -> Result<T, Denied> {
    denied(
        "ResourceNotFoundException",
        format!("Resource {arn} does not exist."),
    )
}
