//! Why a ballot is not taken.

/// Why a ballot is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The rule does not count it: a sentence for the approver.
    #[error("the rule does not count the vote: {0}")]
    Rule(String),
    /// The link names another execution, or is not (any longer) the recipient's.
    #[error("the link does not belong to this request")]
    ForeignLink,
    /// The link approves or rejects, and the form says the other.
    #[error("the link is not for this answer")]
    OtherPurpose,
    /// The rule wants a sign-in.
    #[error("nobody is signed in")]
    NotSignedIn,
    /// Too many wrong codes.
    #[error("the link is locked after too many wrong codes")]
    Locked,
    /// The form was sent before.
    #[error("the form was sent before")]
    Replayed,
    /// What is shown is not what was seen.
    #[error("what is to be approved has changed since the page was shown")]
    Changed,
    /// This approver answered before.
    #[error("this approver has answered")]
    AlreadyVoted,
    /// The request is no longer open.
    #[error("the request is decided")]
    AlreadyDecided,
    /// The action no longer waits for this request.
    #[error("the request is superseded")]
    Superseded,
    /// The deadline passed.
    #[error("the request has expired")]
    Expired,
}
