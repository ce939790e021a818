//! One JSON object per line on standard output, and a panic hook that writes one too.
//!
//! A subscriber of our own: events only, no spans, no filters to parse. `tracing-subscriber` would cost more
//! binary than everything here is worth.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    io::Write as _,
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde_json::Value;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

/// Writes events as lines.
struct Lines {
    function: &'static str,
    format: Format,
    level: LevelFilter,
}

/// The event in hand; an execution environment handles one at a time.
static REQUEST: Mutex<String> = Mutex::new(String::new());

/// Names the event in hand in every following line.
pub(crate) fn set_request(id: &str) {
    let mut request = REQUEST.lock().unwrap_or_else(PoisonError::into_inner);
    request.clear();
    request.push_str(id);
}

/// Starts logging for a function, as `AWS_LAMBDA_LOG_FORMAT` (`JSON`, the default, or `Text`) and
/// `AWS_LAMBDA_LOG_LEVEL` (`INFO` by default) say. Later calls change nothing.
pub(crate) fn start(function: &'static str, format: Option<&str>, level: Option<&str>) {
    let lines = Lines {
        function,
        format: format_of(format),
        level: level_of(level),
    };
    if tracing::subscriber::set_global_default(lines).is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic
                .location()
                .map_or_else(String::new, ToString::to_string);
            // The payload stays out: it may quote what the function was working on.
            tracing::error!(place, "the function panicked");
        }));
    }
}

fn format_of(text: Option<&str>) -> Format {
    match text {
        Some(text) if text.eq_ignore_ascii_case("text") => Format::Text,
        _ => Format::Json,
    }
}

fn level_of(text: Option<&str>) -> LevelFilter {
    match text.unwrap_or_default().to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

impl Lines {
    fn line(&self, now: Timestamp, level: Level, request: &str, fields: Fields) -> String {
        let Fields { message, rest } = fields;
        match self.format {
            Format::Json => {
                // Sorted, whatever serde_json's own map does in this build.
                let mut line: BTreeMap<String, Value> = BTreeMap::new();
                line.insert("timestamp".into(), format!("{now:.3}").into());
                line.insert("level".into(), level.as_str().into());
                line.insert("message".into(), message.into());
                line.insert("function".into(), self.function.into());
                if !request.is_empty() {
                    line.insert("requestId".into(), request.into());
                }
                for (name, value) in rest {
                    line.entry(name).or_insert(value);
                }
                let text = serde_json::to_string(&line).unwrap_or_default();
                format!("{text}\n")
            }
            Format::Text => {
                let mut line = format!("{level} {} {request} {message}", self.function);
                for (name, value) in rest {
                    // Writing to a string cannot fail.
                    let _ = write!(line, " {name}={value}");
                }
                format!("{}\n", line.replace(['\n', '\r'], " "))
            }
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Of other crates only what went wrong: at DEBUG the SDK prints whole requests.
        let ours = metadata.target().starts_with("shared")
            || metadata.target().starts_with("action_")
            || metadata.target().starts_with("approval_")
            || metadata.target().starts_with("event_")
            || metadata.target().starts_with("task_");
        metadata.is_event()
            && *metadata.level() <= self.level
            && (ours || *metadata.level() <= Level::WARN)
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let request = REQUEST.lock().unwrap_or_else(PoisonError::into_inner);
        let line = self.line(
            Timestamp::now(),
            *event.metadata().level(),
            &request,
            fields,
        );
        // A closed standard output must not end the function.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: BTreeMap<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else {
            self.rest.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, crate::error::chain(value).into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format) -> String {
        let lines = Lines {
            function: "action-x",
            format,
            level: LevelFilter::INFO,
        };
        let fields = Fields {
            message: "two\nlines".into(),
            rest: BTreeMap::from_iter([
                ("took_ms".to_owned(), 5.into()),
                ("level".to_owned(), 1.into()),
            ]),
        };
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        lines.line(now, Level::INFO, "r-1", fields)
    }

    #[test]
    fn a_line_is_one_object_and_fields_do_not_overwrite() {
        assert_eq!(
            line(Format::Json),
            concat!(
                r#"{"function":"action-x","level":"INFO","message":"two\nlines","requestId":"r-1","#,
                r#""timestamp":"2023-11-14T22:13:20.123Z","took_ms":5}"#,
                "\n"
            )
        );
        assert_eq!(
            line(Format::Text),
            "INFO action-x r-1 two lines level=1 took_ms=5\n"
        );
    }

    #[test]
    fn lambda_settings_are_obeyed() {
        assert_eq!(format_of(Some("Text")), Format::Text);
        assert_eq!(format_of(Some("JSON")), Format::Json);
        assert_eq!(format_of(None), Format::Json);
        assert_eq!(level_of(Some("debug")), LevelFilter::DEBUG);
        assert_eq!(level_of(None), LevelFilter::INFO);
    }
}
