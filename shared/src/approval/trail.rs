//! What happened to a request, noted in the very write that made it so, until the audit chain has it.

use jiff::Timestamp;

use crate::approval::{id::RecipientId, means::Means, request::Record};

/// One thing that happened. Who voted what, and what was decided, the record itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: Kind,
    /// To or by whom.
    pub recipient: Option<RecipientId>,
    /// Of this kind only: a group, a number of tries left, who did it elsewhere. No secrets.
    pub detail: Option<String>,
    /// How it came, of a view.
    pub means: Option<Means>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What can happen to a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// As it is written down.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Reads [`Self::as_str`].
            pub fn read(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// It was stored.
    Asked = "asked",
    /// An approver was asked by mail.
    Mailed = "mailed",
    /// An approver's links were revoked, and new ones are mailed.
    Renewed = "links-renewed",
    /// Those who are asked were asked together in a channel.
    AskedInChannel = "asked-in-channel",
    /// An approver was reminded.
    Reminded = "reminded",
    /// More people were asked, for time was running out.
    Escalated = "escalated",
    /// A wrong code was typed.
    WrongCode = "wrong-code",
    /// Somebody else signed in with an approver's link.
    OtherPerson = "other-person",
    /// An approver signed in.
    SignedIn = "signed-in",
    /// A link was opened, by whom or by which machine is not known: nobody's view.
    LinkOpened = "link-opened",
    /// An approver who had signed in was shown the page.
    Viewed = "viewed",
    /// Too many wrong codes were typed: the links of an approver are locked.
    Locked = "locked",
    /// They were told that, and what to do.
    LockTold = "lock-told",
    /// An answer was counted.
    Voted = "voted",
    /// Opposite answers of one approver came at once: neither counts.
    Quarantined = "quarantined",
    /// The answers decided.
    Decided = "decided",
    /// One person decided alone, in an emergency.
    BrokenGlass = "broken-glass",
    /// Somebody was asked to look at that.
    ReviewAsked = "review-asked",
    /// Somebody did.
    Reviewed = "reviewed",
    /// Nobody did in time.
    ReviewOverdue = "review-overdue",
    /// What the pipeline's past says of it is not what it said.
    Changed = "facts-changed",
    /// A newer execution waits, and the rule lets older ones give way.
    Overtaken = "overtaken",
    /// Whoever asked was told.
    Delivered = "delivered",
    /// Somebody decided it elsewhere.
    Elsewhere = "elsewhere",
    /// It is no longer waited for.
    Superseded = "superseded",
    /// Its time was over.
    Expired = "expired",
    /// Somebody who was asked was told how it ended.
    Told = "told",
    /// A result was sent to CodePipeline by somebody else.
    OutOfBand = "out-of-band",
    /// A stage's condition was overridden.
    Overridden = "condition-overridden",
}

impl Kind {
    /// Whether people must hear of it at once.
    pub const fn alarms(self) -> bool {
        matches!(
            self,
            Self::Elsewhere
                | Self::OutOfBand
                | Self::Overridden
                | Self::Quarantined
                | Self::Locked
                | Self::OtherPerson
                | Self::BrokenGlass
                | Self::ReviewOverdue
        )
    }
}

impl Record {
    /// Notes what the write in hand makes so.
    pub fn note(
        &mut self,
        kind: Kind,
        recipient: Option<&RecipientId>,
        detail: Option<String>,
        at: Timestamp,
    ) {
        self.trail.push(Entry {
            at,
            kind,
            recipient: recipient.cloned(),
            detail,
            means: None,
        });
    }
}
