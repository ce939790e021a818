//! Answers manual approvals: plays the approver over HTTP as a browser would, asks in the terminal, or waits.

use std::{io::IsTerminal, time::Duration};

use engine_plan::event::Event;
use tokio::sync::mpsc;

use super::{args::Approve, browser::Browser, view::ActionView};
use crate::app::App;

/// Between two looks into the mail box.
const LOOK: Duration = Duration::from_millis(100);
/// A mail that takes longer will not come: Lambda calls a failing function for the last time after three minutes.
const PATIENCE: Duration = Duration::from_secs(240);

/// One open approval.
#[derive(Debug, Clone)]
pub struct Pending {
    pipeline: String,
    execution: String,
    stage: String,
    action: String,
    action_execution: String,
}

impl Pending {
    /// The approval that an action waits for.
    pub fn new(pipeline: &str, execution: &str, action: &ActionView) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            execution: execution.to_owned(),
            stage: action.stage.clone(),
            action: action.name.clone(),
            action_execution: action.id.clone(),
        }
    }
}

/// Answers approvals as the option says.
pub struct Approvers {
    app: App,
    approve: Approve,
    notes: mpsc::UnboundedReceiver<String>,
    tell: mpsc::UnboundedSender<String>,
}

impl Approvers {
    /// Nobody is asked yet.
    pub fn new(app: App, approve: Approve) -> Self {
        let (tell, notes) = mpsc::unbounded_channel();
        Self {
            app,
            approve,
            notes,
            tell,
        }
    }

    /// The next sentence for the report.
    pub async fn next(&mut self) -> String {
        match self.notes.recv().await {
            Some(note) => note,
            None => std::future::pending().await,
        }
    }

    /// An approval is open: begins to play, to ask, or says where to answer.
    pub fn begin(&self, pending: Pending) -> Vec<String> {
        let mailed = self.app.config.approval.is_some();
        let mail = format!("{}/_stagewright/mail", self.app.base_url);
        let player = Player {
            app: self.app.clone(),
            tell: self.tell.clone(),
            pending,
        };
        match self.approve {
            Approve::Yes | Approve::No => {
                let approved = self.approve == Approve::Yes;
                let verb = if approved { "approves" } else { "rejects" };
                let how = if mailed {
                    "over HTTP, as a browser would"
                } else {
                    "through PutApprovalResult"
                };
                tokio::spawn(player.answer(approved, mailed));
                vec![format!(
                    "--approve {}: an approver is played who {verb} {how}",
                    if approved { "yes" } else { "no" }
                )]
            }
            Approve::Ask => {
                let mut notes = Vec::new();
                if mailed {
                    notes.push(format!("the link for the approver is in the mail: {mail}"));
                }
                if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
                    player.ask();
                    notes.push("or answer here: type `yes` or `no`, and a comment".to_owned());
                } else {
                    notes.push(format!(
                        "waits for the link or for PutApprovalResult at {} (there is no terminal to ask in)",
                        self.app.base_url
                    ));
                }
                notes
            }
        }
    }
}

struct Player {
    app: App,
    tell: mpsc::UnboundedSender<String>,
    pending: Pending,
}

impl Player {
    fn say(&self, text: impl Into<String>) {
        // Nobody listens any more once the execution has ended.
        let _ = self.tell.send(text.into());
    }

    fn is_open(&self) -> bool {
        self.app
            .desk
            .read(|state| state.task(&self.pending.action_execution).is_some())
    }

    async fn answer(self, approved: bool, mailed: bool) {
        // The played approver is at work: a fast clock must not let the approval expire meanwhile.
        let _busy = self.app.clock.busy();
        if !mailed {
            return self.put(approved, "answered by --approve").await;
        }
        match self.browse(approved).await {
            Ok(()) => {}
            Err(problem) => {
                self.say(format!(
                    "the played approver could not answer over HTTP ({problem:#}) and answers through PutApprovalResult"
                ));
                self.put(approved, "answered by --approve").await;
            }
        }
    }

    async fn browse(&self, approved: bool) -> anyhow::Result<()> {
        let mut browser = Browser::new(&self.app.base_url)?;
        let until = tokio::time::Instant::now() + PATIENCE;
        let mail = loop {
            match browser
                .mail_for(&self.pending.execution, &self.pending.stage)
                .await?
            {
                Some(mail) => break mail,
                None if !self.is_open() => return Ok(()),
                None if tokio::time::Instant::now() > until => {
                    anyhow::bail!("no mail with a link came within {PATIENCE:?}")
                }
                None => tokio::time::sleep(LOOK).await,
            }
        };
        self.say(format!(
            "GET {}  mail to {}: {}",
            mail.address, mail.to, mail.subject
        ));
        let form = browser.open(&mail.link).await?;
        self.say(format!(
            "GET {}  the page asks for the code in the mail",
            short(&mail.link)
        ));
        let told = browser.submit(&form, approved, &mail.code).await?;
        self.say(format!("POST {}  {told}", short(&form.action)));
        Ok(())
    }

    async fn put(&self, approved: bool, comment: &str) {
        let token = self.app.desk.read(|state| {
            let task = state.task(&self.pending.action_execution)?;
            Some(task.approval?.token.reveal().to_owned())
        });
        let Some(token) = token else { return };
        let account = &self.app.config.engine.account;
        let event = Event::Approval {
            pipeline: self.pending.pipeline.clone(),
            stage: self.pending.stage.clone(),
            action: self.pending.action.clone(),
            token: token.into(),
            approved,
            summary: comment.to_owned(),
            by: format!("arn:aws:iam::{account}:user/stagewright-run"),
        };
        if let Err(refusal) = self.app.desk.submit(event).await {
            self.say(format!("the answer was not taken: {}", refusal.message));
        }
    }

    /// Reads lines from the terminal until one answers; a thread, because reading cannot be cut off.
    fn ask(self) {
        let handle = tokio::runtime::Handle::current();
        let asking = move || {
            let mut line = String::new();
            while self.is_open() && std::io::stdin().read_line(&mut line).is_ok_and(|n| n > 0) {
                match answer(&line) {
                    Some((approved, comment)) => {
                        handle.block_on(self.put(approved, &comment));
                        return;
                    }
                    None => self.say("type `yes` or `no`, and a comment if you like"),
                }
                line.clear();
            }
        };
        std::thread::spawn(asking);
    }
}

/// `yes looks good` and its like.
fn answer(line: &str) -> Option<(bool, String)> {
    let (word, comment) = line
        .trim()
        .split_once(char::is_whitespace)
        .unwrap_or((line.trim(), ""));
    let approved = match word.to_ascii_lowercase().as_str() {
        "y" | "yes" | "approve" => true,
        "n" | "no" | "reject" => false,
        _ => return None,
    };
    let comment = comment.trim();
    let comment = if comment.is_empty() {
        "answered in the terminal"
    } else {
        comment
    };
    Some((approved, comment.to_owned()))
}

/// A link without the signed token it carries.
fn short(link: &str) -> String {
    match link.find("/a/") {
        Some(at) => format!("{}/a/…", &link[..at]),
        None => link.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        assert_eq!(
            answer("yes\n"),
            Some((true, "answered in the terminal".to_owned()))
        );
        assert_eq!(
            answer(" No  not on a Friday "),
            Some((false, "not on a Friday".to_owned()))
        );
        assert_eq!(answer("maybe"), None);
        assert_eq!(answer(""), None);
    }

    #[test]
    fn the_token_is_not_shown() {
        assert_eq!(short("http://h:1/f/a/v4.public.secret"), "http://h:1/f/a/…");
    }
}
