//! A mail as it goes to SES.

use serde_json::Value;
use shared::{
    approval::port::{Mail, Mailer},
    secret::Secret,
};

use super::stub::{Answer, Stub};
use crate::mail::SesMailer;

#[tokio::test]
async fn threat_44_clicks_are_not_tracked_and_links_not_rewritten() {
    let stub = Stub::start(|_, _| Answer::of(200, r#"{"MessageId":"m"}"#));
    let link = "https://approve.example.com/a/v4.public.AbC-_9.azE";
    let mail = Mail {
        from: "pipelines@example.com".to_owned(),
        to: "dana@example.com".to_owned(),
        subject: "[Release] Approve caf\u{e9}?".to_owned(),
        text: Secret::new(format!("Open {link}\n")),
        html: Secret::new(format!("<a href=\"{link}\">Review</a>")),
        headers: vec![("Auto-Submitted", "auto-generated".to_owned())],
    };
    SesMailer::new(&stub.aws()).send(&mail).await.unwrap();
    let asked = &stub.asked()[0];
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let tracking = &body["ConfigurationOverrides"]["Tracking"];
    for kind in ["OpenTrackingEnabled", "ClickTrackingEnabled"] {
        assert_eq!(tracking[kind], "DISABLED", "{body}");
    }
    assert_eq!(
        body["Destination"]["ToAddresses"],
        serde_json::json!(["dana@example.com"])
    );
    let simple = &body["Content"]["Simple"];
    assert_eq!(simple["Subject"]["Data"], mail.subject);
    assert_eq!(simple["Body"]["Text"]["Data"], *mail.text.reveal());
    assert_eq!(simple["Body"]["Html"]["Data"], *mail.html.reveal());
    assert_eq!(simple["Headers"][0]["Name"], "Auto-Submitted");
}
