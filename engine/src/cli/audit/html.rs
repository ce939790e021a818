//! The audit as one page without script that prints well.

use askama::Template;

use super::{
    Chain,
    changes::{self, Change},
    vouched,
};

#[derive(Template)]
#[template(path = "audit/page.html")]
struct Page<'a> {
    from: &'a str,
    count: usize,
    first: String,
    last: String,
    vouched: String,
    sound: bool,
    changes: &'a [Change],
    others: Vec<Other>,
}

/// A record of no request.
struct Other {
    at: String,
    kind: String,
    text: String,
}

/// Writes the page.
///
/// # Errors
/// When the template fails, which it does not for text.
pub fn write(chain: &Chain, changes: &[Change]) -> Result<String, askama::Error> {
    let at = |record: Option<&shared::approval::audit::verify::Checked>| {
        let at = record.and_then(|r| r.body["at"].as_str());
        minute(at.unwrap_or_default())
    };
    let others = changes::others(&chain.records).map(|record| {
        let text = |name: &str| {
            record.body["what"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        Other {
            at: minute(record.body["at"].as_str().unwrap_or_default()),
            kind: record.body["kind"]
                .as_str()
                .unwrap_or_default()
                .replace('-', " "),
            text: format!("{} / {} by {}", text("pipeline"), text("stage"), text("by")),
        }
    });
    Page {
        from: &chain.from,
        count: chain.records.len(),
        first: at(chain.records.first()),
        last: at(chain.records.last()),
        vouched: vouched(chain).trim().to_owned(),
        sound: chain.anchored > 0,
        changes,
        others: others.collect(),
    }
    .render()
}

/// `2026-11-23 10:00 UTC`; what is no time stays as it is.
fn minute(at: &str) -> String {
    match at.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        Err(_) => at.to_owned(),
    }
}

/// Used by the template.
mod filters {
    use std::fmt::Display;

    #[askama::filter_fn]
    pub fn when(at: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(super::minute(&at.to_string()))
    }
}
