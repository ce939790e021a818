//! Chats of an install: over HTTP, with tokens from where the settings say.

use shared::{
    approval::{
        chat::send::Chats,
        settings::{NotifySettings, RespondSettings},
    },
    remembered::Remembered,
};

use crate::{provider::ProviderHttp, sdk::Aws, secrets::Secrets};

/// Chats over HTTP.
pub type HttpChats = Chats<ProviderHttp, Remembered<Secrets>>;

/// What asks in chats. Reads no token yet.
pub fn notify_chats(aws: &Aws, settings: &NotifySettings) -> HttpChats {
    Chats {
        http: ProviderHttp::new(aws),
        secrets: Remembered::new(Secrets::new(aws)),
        slack_token: settings.slack_token.clone(),
        slack_secret: None,
        slack_api: settings.slack_api.clone(),
    }
}

/// What takes presses. Reads no secret yet.
pub fn respond_chats(aws: &Aws, settings: &RespondSettings) -> HttpChats {
    Chats {
        http: ProviderHttp::new(aws),
        secrets: Remembered::new(Secrets::new(aws)),
        slack_token: None,
        slack_secret: settings.slack_secret.clone(),
        slack_api: settings.slack_api.clone(),
    }
}
