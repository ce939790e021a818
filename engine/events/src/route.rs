//! From an event to the deliveries that the enabled rules of its bus want.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{pattern::Pattern, target::Target};

/// The bus of AWS's own events.
pub const DEFAULT_BUS: &str = "default";

/// `detail-type` of the event of a schedule.
pub const SCHEDULED: &str = "Scheduled Event";

/// The enabled rules with targets, their patterns compiled.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    by_bus: BTreeMap<String, Vec<Route>>,
}

/// One enabled rule.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub rule: String,
    /// Its ARN.
    pub arn: String,
    /// What it wants.
    pub pattern: Pattern,
    /// Who gets it.
    pub targets: Vec<Target>,
}

/// One event for one target, with everything that is needed to deliver it: it survives the rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// ARN of the rule.
    pub rule_arn: String,
    /// Its name.
    pub rule: String,
    /// Who gets it.
    pub target: Target,
    /// The whole event.
    pub event: Value,
}

impl Routes {
    /// With these rules of these buses.
    pub fn new(rules: impl IntoIterator<Item = (String, Route)>) -> Self {
        let mut by_bus: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        for (bus, route) in rules {
            by_bus.entry(bus).or_default().push(route);
        }
        Self { by_bus }
    }

    /// Whether no event can be wanted.
    pub fn is_empty(&self) -> bool {
        self.by_bus.is_empty()
    }

    /// Who wants an event of a bus, in the order of rules and targets.
    pub fn wanted(&self, bus: &str, event: &Value) -> Vec<Delivery> {
        let Some(routes) = self.by_bus.get(bus) else {
            return Vec::new();
        };
        let mut deliveries = Vec::new();
        for route in routes.iter().filter(|route| route.pattern.matches(event)) {
            deliveries.extend(route.targets.iter().map(|target| Delivery {
                rule_arn: route.arn.clone(),
                rule: route.rule.clone(),
                target: target.clone(),
                event: event.clone(),
            }));
        }
        deliveries
    }
}
