//! What CodePipeline keeps of a decision.

use crate::approval::{
    request::{Decision, Record},
    words,
};

/// What the summary of a result says (AWS: at most 512 characters): who, the decision's id, the rule, why.
pub fn summary(record: &Record, decision: &Decision) -> String {
    let mut who = Vec::new();
    let mut why = Vec::new();
    for vote in record
        .votes
        .iter()
        .filter(|v| v.verdict == decision.verdict)
    {
        if let Some(recipient) = record.recipient(&vote.recipient) {
            who.push(recipient.address.as_str());
        }
        if !vote.comment.is_empty() {
            why.push(vote.comment.as_str());
        }
    }
    let rule = if record.rule.is_simple() {
        let (needed, asked) = (record.rule.needed(), record.recipients.len());
        format!("{needed} of {asked} needed")
    } else {
        format!("rule {:?}", record.rule.name)
    };
    let rule = match &record.review {
        Some(review) => format!(
            "{rule}, alone in an emergency, to be reviewed by {}",
            review.group
        ),
        None => rule,
    };
    if let Some(newer) = &decision.newer {
        let text = format!(
            "Rejected in decision {}: {rule}. By the rule, for the newer execution {newer} waits.",
            decision.id
        );
        return words::one_line(&text, 512);
    }
    let text = format!(
        "{} in decision {}: {rule}. By {}. {}",
        decision.verdict.past(),
        decision.id,
        who.join(", "),
        why.join(" / "),
    );
    words::one_line(&text, 512)
}
