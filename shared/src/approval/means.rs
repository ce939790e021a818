//! How an answer came, for the audit.

/// How an answer came, for the audit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Means {
    /// Through what.
    pub channel: Channel,
    /// From where; as much of it as the install keeps.
    pub ip: Option<String>,
    /// With which program.
    pub agent: Option<String>,
}

/// Through what an answer came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The page behind the link.
    #[default]
    Page,
    /// A button in Slack.
    Slack,
}

impl Channel {
    /// As it is written down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Slack => "slack",
        }
    }

    /// Reads [`Self::as_str`].
    pub fn read(text: &str) -> Option<Self> {
        let all = [Self::Page, Self::Slack];
        all.into_iter().find(|channel| channel.as_str() == text)
    }
}
