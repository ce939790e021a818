//! For machines that do anything: acts whose answer may never come, each in a page of its own.
//!
//! Chromium does not answer a key or a click that leads to another site. So such an act counts as done when it is
//! answered, or when the page gives way to another; and a page that was acted on is never used again, but closed.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{Error, Message};

use super::Browser;
use crate::process::PATIENCE;

/// How long a single read may block while there is something else to look at.
const SLICE: Duration = Duration::from_millis(50);
/// After so long a script without an answer is sent again.
const AGAIN: Duration = Duration::from_millis(100);
/// After so long an act without any answer counts as done.
const LIMIT: Duration = Duration::from_secs(2);

/// What became of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acted {
    /// Chromium answered: the page is still there, or has just begun to give way.
    Answered,
    /// The page gave way to another.
    Left,
    /// Neither.
    Silent,
}

impl Browser {
    /// Opens an address in a page of its own, with the cookies of the one before, which is closed.
    pub fn open_beside(&mut self, url: &str) {
        let old = std::mem::take(&mut self.target);
        self.attach();
        let session = std::mem::take(&mut self.session);
        // Nobody waits for it: a page that hangs may be slow to close.
        drop(self.send("Target.closeTarget", json!({"targetId": old})));
        self.session = session;
        self.open(url);
    }

    /// A call whose answer may never come.
    pub fn act(&mut self, method: &str, params: Value) -> Acted {
        self.events.clear();
        let Ok(id) = self.send(method, params) else {
            return Acted::Silent;
        };
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            match self.read_soon() {
                Some(answer) if answer["id"] == id => return Acted::Answered,
                Some(event) => self.keep(event),
                None => {}
            }
            if self.had("Page.frameNavigated") {
                return Acted::Left;
            }
        }
        Acted::Silent
    }

    /// A script's value, if the page gives it. A page that gives way to another may take the question along: it is put
    /// again, so the script may run twice.
    pub fn tried(&mut self, script: &str) -> Option<Value> {
        let params = json!({"expression": script, "returnByValue": true, "userGesture": true});
        let until = Instant::now() + LIMIT / 2;
        let mut asked = Vec::new();
        while Instant::now() < until {
            asked.push(self.send("Runtime.evaluate", params.clone()).ok()?);
            let again = Instant::now() + AGAIN;
            while Instant::now() < again {
                match self.read_soon() {
                    Some(answer) if asked.iter().any(|id| answer["id"] == *id) => {
                        let value = &answer["result"]["result"]["value"];
                        if !value.is_null() {
                            return Some(value.clone());
                        }
                        break;
                    }
                    Some(event) => self.keep(event),
                    None => {}
                }
            }
        }
        None
    }

    /// Waits until a script says `true` of the page, whichever that is by then.
    pub fn until(&mut self, script: &str) {
        let until = Instant::now() + PATIENCE;
        while self.tried(script) != Some(json!(true)) {
            assert!(Instant::now() < until, "never: {script}");
            std::thread::sleep(SLICE);
        }
    }

    /// A real click, as a machine clicks.
    pub fn poke(&mut self, x: f64, y: f64) -> Acted {
        let mut acted = Acted::Answered;
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            acted = self.act("Input.dispatchMouseEvent", params);
        }
        acted
    }

    /// Types this where the focus is, and presses Enter, as a machine does.
    pub fn poke_keys(&mut self, text: &str) -> Acted {
        self.act("Input.insertText", json!({"text": text}));
        let key = |kind: &str| json!({"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13});
        let mut down = key("keyDown");
        down["text"] = json!("\r");
        let acted = self.act("Input.dispatchKeyEvent", down);
        // Where the key led away, nobody would answer.
        drop(self.send("Input.dispatchKeyEvent", key("keyUp")));
        acted
    }

    /// The next message, if one comes within a slice.
    fn read_soon(&mut self) -> Option<Value> {
        let limit = |browser: &Self, time| {
            let stream = browser.socket.get_ref();
            stream.set_read_timeout(Some(time)).expect("a timeout");
        };
        limit(self, SLICE);
        let read = self.socket.read();
        limit(self, PATIENCE);
        match read {
            Ok(Message::Text(text)) => serde_json::from_str(&text).ok(),
            Ok(_) => None,
            Err(Error::Io(error))
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                None
            }
            Err(error) => panic!("chromium is gone: {error}"),
        }
    }
}
