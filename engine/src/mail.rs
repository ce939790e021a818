//! The mail sink: what SES and SNS e-mail deliver lands here.

/// Clones share it.
#[derive(Clone, Default)]
pub struct MailSink;
