//! The message in Teams: a card of a Workflows webhook, whose one button opens the page.

use serde_json::{Value, json};

use super::Question;
use crate::approval::sheet::Sheet;

/// The card. Names stand in text runs, where nothing is markup. It holds no code and decides nothing.
pub fn question(asked: &Question<'_>, page: &str) -> Value {
    let sheet = Sheet::new(asked.record, asked.zone, asked.now);
    let run = |text: &str, more: Value| {
        let mut run = json!({"type": "TextRun", "text": text});
        if let (Some(run), Value::Object(more)) = (run.as_object_mut(), more) {
            run.extend(more);
        }
        json!({"type": "RichTextBlock", "inlines": [run]})
    };
    let title = format!("Approve {}?", sheet.pipeline);
    let told = format!(
        "Stage {} waits for you until {}.",
        sheet.stage, sheet.deadline
    );
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [run(&title, json!({"weight": "Bolder", "size": "Medium"})), run(&told, json!({}))],
                "actions": [{"type": "Action.OpenUrl", "title": "Review and decide", "url": page}],
            },
        }],
    })
}
