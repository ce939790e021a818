//! The few things a browser does with an approval: read the mail, open the link, fill in the form, send it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, anyhow, bail};
use reqwest::{Client, Response, header, redirect};
use serde_json::Value;

/// A page that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A browser with one tab and a cookie jar for one host.
pub struct Browser {
    client: Client,
    base_url: String,
    cookies: BTreeMap<String, String>,
}

/// A mail that asks for an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalMail {
    /// Where it can be read.
    pub address: String,
    /// Its recipient.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// The signed link.
    pub link: String,
    /// The code to type.
    pub code: String,
}

/// A form as the page gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, absolute.
    pub action: String,
    /// Hidden fields.
    pub hidden: Vec<(String, String)>,
    /// Name of its radio buttons.
    pub choice: String,
}

impl Browser {
    /// A new one without cookies.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(base_url: &str) -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            base_url: base_url.to_owned(),
            cookies: BTreeMap::new(),
        })
    }

    /// The newest mail of the sink that asks for a decision in this stage of this execution.
    ///
    /// # Errors
    /// When the sink does not answer.
    pub async fn mail_for(
        &mut self,
        execution: &str,
        stage: &str,
    ) -> anyhow::Result<Option<ApprovalMail>> {
        let list: Value = self.json("/_stagewright/mail.json").await?;
        let mut ids: Vec<&str> = list["mails"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|m| m["id"].as_str())
            .collect();
        ids.sort_unstable();
        for id in ids.into_iter().rev() {
            let mail: Value = self.json(&format!("/_stagewright/mail/{id}.json")).await?;
            let text = mail["text"].as_str().unwrap_or_default();
            if !(text.contains(execution) && text.contains(stage)) {
                continue;
            }
            if let (Some(link), Some(code)) = (link(text), code(text)) {
                return Ok(Some(ApprovalMail {
                    address: format!("{}/_stagewright/mail/{id}", self.base_url),
                    to: mail["to"][0].as_str().unwrap_or_default().to_owned(),
                    subject: mail["subject"].as_str().unwrap_or_default().to_owned(),
                    link,
                    code,
                }));
            }
        }
        Ok(None)
    }

    /// Opens the link as a click in a mail does.
    ///
    /// # Errors
    /// When the page does not answer with a form.
    pub async fn open(&mut self, link: &str) -> anyhow::Result<Form> {
        let request = self
            .client
            .get(link)
            .header("sec-fetch-site", "none")
            .header("sec-fetch-mode", "navigate");
        let answer = self.send(request).await?;
        let status = answer.status();
        let page = answer.text().await?;
        if !status.is_success() {
            bail!("the page answered {status}");
        }
        form(&page, link).ok_or_else(|| anyhow!("the page has no form"))
    }

    /// Fills in and sends the form, follows the redirect, and answers what the page then says.
    ///
    /// # Errors
    /// When the answer is refused.
    pub async fn submit(
        &mut self,
        form: &Form,
        approve: bool,
        code: &str,
    ) -> anyhow::Result<String> {
        let decision = if approve { "approve" } else { "reject" };
        let mut fields = form.hidden.clone();
        fields.push((form.choice.clone(), decision.to_owned()));
        fields.push(("code".to_owned(), code.to_owned()));
        fields.push((
            "comment".to_owned(),
            "answered by the played approver".to_owned(),
        ));
        let request = self
            .client
            .post(&form.action)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("origin", origin(&form.action))
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
            .body(encode(&fields));
        let answer = self.send(request).await?;
        let status = answer.status();
        if !status.is_redirection() {
            let page = answer.text().await.unwrap_or_default();
            bail!(
                "the page answered {status}: {}",
                heading(&page).unwrap_or_default()
            );
        }
        let to = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|l| l.to_str().ok())
            .ok_or_else(|| anyhow!("a redirect without a place"))?;
        let to = absolute(&form.action, to);
        let request = self.client.get(&to).header("sec-fetch-site", "same-origin");
        let page = self.send(request).await?.text().await?;
        Ok(format!(
            "{status}, then the page says: {}",
            heading(&page).unwrap_or_default()
        ))
    }

    async fn json(&mut self, path: &str) -> anyhow::Result<Value> {
        let request = self.client.get(format!("{}{path}", self.base_url));
        let answer = self.send(request).await?.error_for_status()?;
        serde_json::from_slice(&answer.bytes().await?)
            .with_context(|| format!("{path} is not JSON"))
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        if !self.cookies.is_empty() {
            let jar: Vec<String> = self
                .cookies
                .iter()
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            request = request.header(header::COOKIE, jar.join("; "));
        }
        let answer = request.send().await.map_err(reqwest::Error::without_url)?;
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let pair = cookie
                .to_str()
                .ok()
                .and_then(|c| c.split(';').next()?.split_once('='));
            if let Some((name, value)) = pair {
                self.cookies
                    .insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(answer)
    }
}

/// The signed link of a mail's text.
fn link(text: &str) -> Option<String> {
    text.split_whitespace()
        .find(|word| word.starts_with("http") && word.contains("/a/v4.public."))
        .map(|word| word.trim_matches(['<', '>']).to_owned())
}

/// The code of a mail's text: the rest of the line that starts with `Code`.
fn code(text: &str) -> Option<String> {
    text.lines()
        .map(str::trim)
        .find_map(|line| line.strip_prefix("Code"))
        .map(|rest| rest.trim_start_matches([':', ' ']).trim().to_owned())
        .filter(|code| !code.is_empty())
}

fn form(page: &str, address: &str) -> Option<Form> {
    let start = page.find("<form")?;
    let inside = &page[start..];
    let inside = &inside[..inside.find("</form>")?];
    let action = attribute(&inside[..inside.find('>')?], "action").unwrap_or_default();
    let inputs: Vec<(String, String, String)> = inside
        .split("<input")
        .skip(1)
        .filter_map(|rest| rest.split('>').next())
        .filter_map(|tag| {
            let value = attribute(tag, "value").unwrap_or_default();
            Some((attribute(tag, "type")?, attribute(tag, "name")?, value))
        })
        .collect();
    let choice = inputs
        .iter()
        .find(|(kind, _, _)| kind == "radio")?
        .1
        .clone();
    let hidden = inputs
        .into_iter()
        .filter(|(kind, _, _)| kind == "hidden")
        .map(|(_, name, value)| (name, value))
        .collect();
    Some(Form {
        action: absolute(address, &action),
        hidden,
        choice,
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = &tag[start..];
    Some(unescape(&value[..value.find('"')?]))
}

fn unescape(text: &str) -> String {
    let mut out = text.to_owned();
    for (from, to) in [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
        ("&amp;", "&"),
    ] {
        out = out.replace(from, to);
    }
    out
}

fn heading(page: &str) -> Option<String> {
    let start = page.find("<h1")?;
    let rest = &page[start..];
    let rest = &rest[rest.find('>')? + 1..rest.find("</h1>")?];
    let mut text = String::new();
    let mut tag = false;
    for c in rest.chars() {
        match c {
            '<' => tag = true,
            '>' => tag = false,
            c if !tag => text.push(c),
            _ => {}
        }
    }
    Some(unescape(
        &text.split_whitespace().collect::<Vec<_>>().join(" "),
    ))
}

fn origin(address: &str) -> String {
    let after = address.find("://").map_or(0, |at| at + 3);
    let end = address[after..]
        .find('/')
        .map_or(address.len(), |at| after + at);
    address[..end].to_owned()
}

fn absolute(base: &str, place: &str) -> String {
    if place.contains("://") {
        place.to_owned()
    } else if place.starts_with('/') {
        format!("{}{place}", origin(base))
    } else if place.is_empty() {
        base.to_owned()
    } else {
        let folder = base.rfind('/').map_or(base, |at| &base[..=at]);
        format!("{folder}{place}")
    }
}

fn encode(fields: &[(String, String)]) -> String {
    let part = |text: &str| {
        text.bytes()
            .map(|b| match b {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(b).to_string()
                }
                b' ' => "+".to_owned(),
                _ => format!("%{b:02X}"),
            })
            .collect::<String>()
    };
    fields
        .iter()
        .map(|(k, v)| format!("{}={}", part(k), part(v)))
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_gives_link_and_code() {
        let text = "Approve?\n\nReview: https://h/x/a/v4.public.abc.def\n\nCode: K7RM-2PQX\n";
        assert_eq!(
            link(text).as_deref(),
            Some("https://h/x/a/v4.public.abc.def")
        );
        assert_eq!(code(text).as_deref(), Some("K7RM-2PQX"));
        assert_eq!(link("nothing here"), None);
    }

    #[test]
    fn a_form_is_read_as_a_browser_would() {
        let page = r#"<h1 class="t">Release <em>site</em>?</h1><form method="post" action="/f/a/t?x=1&amp;y=2">
            <input type="hidden" name="nonce" value="a&#38;b"><input type="radio" name="verdict" value="approve"></form>"#;
        assert_eq!(
            form(page, "http://h:1/f/a/t"),
            Some(Form {
                action: "http://h:1/f/a/t?x=1&y=2".to_owned(),
                hidden: vec![("nonce".to_owned(), "a&b".to_owned())],
                choice: "verdict".to_owned(),
            })
        );
        assert_eq!(heading(page).as_deref(), Some("Release site?"));
    }

    #[test]
    fn addresses_are_made_absolute() {
        assert_eq!(absolute("http://h:1/f/a/t", "/s"), "http://h:1/s");
        assert_eq!(absolute("http://h:1/f/a/t", "done"), "http://h:1/f/a/done");
        assert_eq!(
            absolute("http://h:1/f/a/t", "https://other/x"),
            "https://other/x"
        );
        assert_eq!(encode(&[("a b".to_owned(), "1&2".to_owned())]), "a+b=1%262");
    }
}
