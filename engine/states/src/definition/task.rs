//! A Task's own fields.

use super::{
    Flow, Io, Kind, Language, Task,
    fields::{Fields, Findings},
    read::Reader,
};
use crate::{
    diagnostic::{Diagnostic, SCHEMA},
    limit,
    resource::{Pattern, Resource},
};

impl Reader {
    pub fn task(&mut self, fields: &mut Fields<'_>, language: Language) -> Option<(Io, Kind)> {
        let io = self.calls_io(fields, language);
        let bounds = (1, limit::TIMEOUT_SECONDS);
        let timeout = self.amount_or_path(
            fields,
            ("TimeoutSeconds", "TimeoutSecondsPath"),
            language,
            bounds,
        );
        let heartbeat = self.amount_or_path(
            fields,
            ("HeartbeatSeconds", "HeartbeatSecondsPath"),
            language,
            bounds,
        );
        let credentials = self.credentials(fields, language);
        fields.require(&["Resource"], &mut self.findings);
        let text = fields.text("Resource", &mut self.findings)?;
        let resource = match text.parse() {
            Ok(resource) => resource,
            Err(e) => {
                let e: crate::resource::BadResource = e;
                fields.bad("Resource", e.to_string(), &mut self.findings);
                return None;
            }
        };
        let task = Task {
            resource,
            timeout,
            heartbeat,
            credentials,
        };
        Some((io, Kind::Task(Box::new(task))))
    }

    fn credentials(
        &mut self,
        fields: &mut Fields<'_>,
        language: Language,
    ) -> Option<crate::template::Template> {
        let template = self.payload(fields, "Credentials", language)?;
        let at = fields.place("Credentials");
        let map = fields.map.get("Credentials")?.as_object()?;
        if !map.contains_key("RoleArn") && !map.contains_key("RoleArn.$") {
            let message = "The field 'RoleArn' is required but was missing";
            self.findings.push(Diagnostic::error(SCHEMA, message, at));
        }
        Some(template)
    }
}

/// What an express machine cannot have.
pub fn express(flows: &[Option<Flow>], findings: &mut Findings) {
    for state in flows.iter().flatten().flat_map(|f| &f.states) {
        let at = format!("/States/{}/Resource", state.name);
        match &state.kind {
            Kind::Task(task) => match &task.resource {
                Resource::Activity(_) => findings.push(Diagnostic::error(
                    SCHEMA,
                    "Express state machine does not support Activity ARN",
                    at,
                )),
                // The two blanks are AWS's own.
                Resource::Service { pattern: Pattern::Token, .. } => findings.push(Diagnostic::error(
                    SCHEMA,
                    "Express state machine does not support '.waitForTaskToken' service integration ",
                    at,
                )),
                Resource::Service { pattern: Pattern::Sync | Pattern::SyncJson, .. } => findings.push(Diagnostic::error(
                    SCHEMA,
                    "Express state machine does not support '.sync' service integration",
                    at,
                )),
                Resource::Lambda(_) | Resource::Service { pattern: Pattern::Response, .. } => {}
            },
            Kind::Map(map) if map.distributed.is_some() => findings.push(Diagnostic::error(
                SCHEMA,
                "Express state machine does not support Distributed mode",
                format!("/States/{}", state.name),
            )),
            _ => {}
        }
    }
}
