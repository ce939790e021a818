//! What a state machine's task is told. Plain data to plain data.

use serde_json::{Value, json};

use crate::approval::request::{Decision, Record, Verdict, Vote};

/// Error of a task whose request was rejected, for `Catch`.
pub const REJECTED: &str = "ApprovalRejected";
/// Error of a task that nobody decided in time, for `Catch`.
pub const EXPIRED: &str = "ApprovalExpired";
/// Step Functions takes causes of at most 32,768 characters.
const LONGEST_CAUSE: usize = 32_000;

/// The one thing a waiting task is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskAnswer {
    /// SendTaskSuccess with this JSON.
    Success(String),
    /// SendTaskFailure.
    Failure {
        /// What `Catch` names: [`REJECTED`], [`EXPIRED`], or how a pipeline ended ([`crate::resume::End`]).
        error: &'static str,
        /// JSON, as of a success.
        cause: String,
    },
}

impl TaskAnswer {
    /// Of a decision.
    pub fn of_decision(record: &Record, decision: &Decision, summary: &str) -> Self {
        let mut told = place(record);
        told["decision"] = json!(decision.verdict.past());
        told["decisionId"] = json!(decision.id.as_str());
        told["decidedAt"] = json!(decision.at.to_string());
        told["summary"] = json!(summary);
        let text = with_votes(record, told);
        match decision.verdict {
            Verdict::Approve => Self::Success(text),
            Verdict::Reject => Self::Failure {
                error: REJECTED,
                cause: text,
            },
        }
    }

    /// Of a deadline that passed.
    pub fn of_expiry(record: &Record) -> Self {
        let mut told = place(record);
        told["decision"] = json!("Expired");
        told["summary"] = json!(format!("Not decided until {}.", record.request.expires_at));
        Self::Failure {
            error: EXPIRED,
            cause: with_votes(record, told),
        }
    }
}

fn place(record: &Record) -> Value {
    json!({"approval": record.request.id.as_str(), "rule": record.rule.name})
}

/// Reasons go first where all of it would be too long.
fn with_votes(record: &Record, mut told: Value) -> String {
    for comments in [true, false] {
        let votes: Vec<Value> = record
            .votes
            .iter()
            .map(|vote| line(record, vote, comments))
            .collect();
        told["votes"] = json!(votes);
        let text = told.to_string();
        if text.chars().count() <= LONGEST_CAUSE {
            return text;
        }
    }
    told["votes"] = json!([]);
    told.to_string()
}

fn line(record: &Record, vote: &Vote, comments: bool) -> Value {
    let who = record.recipient(&vote.recipient);
    let mut line = json!({
        "person": who.map(|who| who.person.as_str()),
        "address": who.map(|who| who.address.as_str()),
        "decision": vote.verdict.past(),
        "at": vote.at.to_string(),
    });
    if comments {
        line["comment"] = json!(vote.comment);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{decide, request::State, stored};

    fn record() -> (Record, Decision) {
        let record = stored::decode(include_str!("stored.golden.json")).unwrap();
        match record.state.clone() {
            State::Deciding { decision, .. } => (record, decision),
            other => panic!("{other:?}"),
        }
    }

    fn cause(answer: TaskAnswer) -> Value {
        match answer {
            TaskAnswer::Failure { cause, .. } => serde_json::from_str(&cause).unwrap(),
            TaskAnswer::Success(text) => panic!("{text}"),
        }
    }

    #[test]
    fn a_rejection_fails_with_its_votes_and_an_approval_succeeds() {
        let (record, mut decision) = record();
        let summary = decide::summary(&record, &decision);
        let answer = TaskAnswer::of_decision(&record, &decision, &summary);
        assert!(matches!(
            answer,
            TaskAnswer::Failure {
                error: "ApprovalRejected",
                ..
            }
        ));
        let told = cause(answer);
        assert_eq!(told["decision"], "Rejected");
        assert_eq!(told["decisionId"], decision.id.as_str());
        assert_eq!(told["votes"][0]["address"], "dana@example.com");
        assert_eq!(told["votes"][0]["comment"], record.votes[0].comment);
        decision.verdict = Verdict::Approve;
        let answer = TaskAnswer::of_decision(&record, &decision, &summary);
        assert!(matches!(answer, TaskAnswer::Success(_)));
        assert!(!format!("{answer:?}").contains(record.request.token.reveal()));
    }

    #[test]
    fn a_cause_stays_within_what_step_functions_takes() {
        let (mut record, _) = record();
        let vote = Vote {
            comment: "\u{e4}\"".repeat(250),
            ..record.votes[0].clone()
        };
        for (votes, told) in [(10, 10), (100, 100), (1_000, 0)] {
            record.votes = vec![vote.clone(); votes];
            let answer = TaskAnswer::of_expiry(&record);
            let TaskAnswer::Failure { error, cause: text } = &answer else {
                panic!("{answer:?}");
            };
            assert_eq!(*error, EXPIRED);
            assert!(text.chars().count() <= 32_768);
            assert_eq!(cause(answer)["votes"].as_array().unwrap().len(), told);
        }
    }
}
