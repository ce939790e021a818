//! The message in Teams: a card of a Workflows webhook, whose one button opens the page.

use serde_json::{Value, json};

use super::{Question, lines};
use crate::approval::sheet::Sheet;

/// The card. Foreign texts stand in text runs, where nothing is markup. It holds no code and decides nothing.
pub fn question(asked: &Question<'_>, page: &str) -> Value {
    let sheet = Sheet::new(asked.record, asked.zone, asked.now);
    let title =
        json!({"type": "TextRun", "text": asked.title(), "weight": "Bolder", "size": "Large"});
    let run = |text: &str| json!({"type": "TextRun", "text": text});
    let small =
        |text: &str| json!({"type": "TextRun", "text": text, "isSubtle": true, "size": "Small"});
    let mut body = vec![block(title)];
    body.extend(sheet.subject.iter().map(|subject| block(run(subject))));
    body.extend(lines::changes(&sheet).iter().map(|line| block(run(line))));
    body.extend(sheet.note.iter().map(|note| block(run(note))));
    body.extend(lines::facts(&sheet).iter().map(|line| block(small(line))));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": asked.title(),
                "body": body,
                "actions": [{"type": "Action.OpenUrl", "title": "Review and decide", "url": page}],
            },
        }],
    })
}

fn block(run: Value) -> Value {
    json!({"type": "RichTextBlock", "inlines": [run]})
}
