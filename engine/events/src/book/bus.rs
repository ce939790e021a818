//! Event buses.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{BUSES, Book, Bus, Denied, denied, limit};
use crate::route::DEFAULT_BUS;

/// The bus that a request names: by name, by ARN, or the default one.
pub fn named(given: Option<&str>) -> &str {
    let name = given.unwrap_or(DEFAULT_BUS);
    name.rsplit_once(":event-bus/")
        .map_or(name, |(_, name)| name)
}

impl Book {
    /// All buses by name.
    pub fn buses(&self) -> &BTreeMap<String, Bus> {
        &self.buses
    }

    /// One bus.
    ///
    /// # Errors
    /// It is not there.
    pub fn bus(&self, name: &str) -> Result<&Bus, Denied> {
        self.buses.get(name).map_or_else(|| no_bus(name), Ok)
    }

    pub(super) fn bus_mut(&mut self, name: &str) -> Result<&mut Bus, Denied> {
        self.buses.get_mut(name).map_or_else(|| no_bus(name), Ok)
    }

    /// CreateEventBus.
    ///
    /// # Errors
    /// The name is taken or reserved, a quota.
    pub fn create_bus(
        &mut self,
        name: &str,
        description: Option<String>,
        tags: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<(), Denied> {
        if self.buses.contains_key(name) {
            return denied(
                "ResourceAlreadyExistsException",
                format!("Event bus {name} already exists."),
            );
        }
        if name.contains('/') {
            return denied(
                "ValidationException",
                "Event bus name must not contain '/'.",
            );
        }
        if self.buses.len() > BUSES {
            return limit();
        }
        let bus = Bus {
            created: Some(now),
            description,
            rules: BTreeMap::new(),
            tags,
        };
        self.buses.insert(name.to_owned(), bus);
        Ok(())
    }

    /// DeleteEventBus; one that is not there is deleted already.
    ///
    /// # Errors
    /// It is the default one, or has rules.
    pub fn delete_bus(&mut self, name: &str) -> Result<(), Denied> {
        if name == DEFAULT_BUS {
            return denied("ValidationException", "Cannot delete event bus default.");
        }
        if self
            .buses
            .get(name)
            .is_some_and(|bus| !bus.rules.is_empty())
        {
            return denied(
                "ValidationException",
                "Event bus can't be deleted since it has rules.",
            );
        }
        self.buses.remove(name);
        Ok(())
    }
}

fn no_bus<T>(name: &str) -> Result<T, Denied> {
    denied(
        "ResourceNotFoundException",
        format!("Event bus {name} does not exist."),
    )
}
