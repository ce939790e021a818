//! Chromium, driven over the DevTools protocol: real clicks and keys, every request seen, pictures taken.

mod installed;
pub mod tabs;

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client};

use crate::process::PATIENCE;

pub use installed::{axe, chromium};

/// A browser with one page; ends with the value.
pub struct Browser {
    child: Child,
    socket: WebSocket<TcpStream>,
    session: String,
    /// Whose cookies the page has.
    context: Value,
    /// The page.
    target: Value,
    next: u64,
    events: VecDeque<Value>,
    /// Every request the page made: method, address, headers.
    pub asked: Vec<Value>,
    folder: tempfile::TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// CSS pixels.
    pub width: u32,
    /// `prefers-color-scheme`.
    pub dark: bool,
}

/// A phone and a desk, by day and by night.
pub const SCREENS: [Screen; 4] = [
    Screen {
        width: 320,
        dark: false,
    },
    Screen {
        width: 320,
        dark: true,
    },
    Screen {
        width: 1280,
        dark: false,
    },
    Screen {
        width: 1280,
        dark: true,
    },
];

impl Browser {
    /// Starts one, where there is one.
    pub fn start() -> Option<Self> {
        let program = chromium()?;
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .args([
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
                "--mute-audio",
            ])
            .args(["--remote-debugging-port=0", "--lang=en-GB"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .arg("about:blank")
            .env("TZ", "Europe/Berlin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                panic!("chromium ended:\n{}", said.join("\n"));
            };
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                break address.to_owned();
            }
            said.push(line);
        };
        std::thread::spawn(move || lines.for_each(drop));
        let host = address
            .trim_start_matches("ws://")
            .split('/')
            .next()
            .unwrap_or_default();
        let stream = TcpStream::connect(host).expect("chromium listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (socket, _) = client(address.as_str(), stream).expect("a WebSocket");
        let mut browser = Self {
            child,
            socket,
            session: String::new(),
            context: Value::Null,
            target: Value::Null,
            next: 0,
            events: VecDeque::new(),
            asked: Vec::new(),
            folder,
        };
        browser.new_page();
        Some(browser)
    }

    /// A page without cookies and memory of the one before.
    pub fn new_page(&mut self) {
        self.session.clear();
        let context = self.call("Target.createBrowserContext", json!({}));
        self.context = context["browserContextId"].clone();
        self.attach();
    }

    /// A page beside the one before, with its cookies.
    fn attach(&mut self) {
        self.session.clear();
        let target = json!({"url": "about:blank", "browserContextId": self.context});
        let target = self.call("Target.createTarget", target);
        self.target = target["targetId"].clone();
        let attach = json!({"targetId": self.target, "flatten": true});
        let session = self.call("Target.attachToTarget", attach);
        session["sessionId"]
            .as_str()
            .expect("a session")
            .clone_into(&mut self.session);
        self.events.clear();
        for domain in ["Page.enable", "Network.enable", "Runtime.enable"] {
            self.call(domain, json!({}));
        }
        self.call("Page.setLifecycleEventsEnabled", json!({"enabled": true}));
    }

    /// Calls a method and waits for its answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Sends a call; its number.
    fn send(&mut self, method: &str, params: Value) -> Result<u64, String> {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let message = Message::text(message.to_string());
        self.socket.send(message).map_err(|e| e.to_string())?;
        Ok(self.next)
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, String> {
        let id = self.send(method, params)?;
        loop {
            let answer = self.read()?;
            if answer["id"] == id {
                if !answer["error"].is_null() {
                    return Err(answer["error"].to_string());
                }
                return Ok(answer["result"].clone());
            }
            self.keep(answer);
        }
    }

    fn read(&mut self) -> Result<Value, String> {
        loop {
            match self
                .socket
                .read()
                .map_err(|e| format!("chromium is silent: {e}"))?
            {
                Message::Text(text) => {
                    return serde_json::from_str(&text).map_err(|e| e.to_string());
                }
                Message::Close(_) => return Err("chromium closed".to_owned()),
                _ => {}
            }
        }
    }

    fn keep(&mut self, event: Value) {
        if event["sessionId"] != self.session.as_str() {
            return; // of a page before this one
        }
        if event["method"] == "Network.requestWillBeSent" {
            self.asked.push(event["params"]["request"].clone());
        }
        self.events.push_back(event);
    }

    /// The next event of this name, also one that was there already.
    pub fn event(&mut self, method: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.events.iter().position(|e| e["method"] == method) {
                return self
                    .events
                    .remove(at)
                    .map(|e| e["params"].clone())
                    .unwrap_or_default();
            }
            assert!(Instant::now() < until, "no {method}");
            let event = self.read().expect("an event");
            self.keep(event);
        }
    }

    /// Whether an event of this name has come.
    pub fn had(&self, method: &str) -> bool {
        self.events.iter().any(|e| e["method"] == method)
    }

    /// Opens an address and waits until it is loaded. What the page before was still about to open gives way.
    pub fn open(&mut self, url: &str) {
        let until = Instant::now() + PATIENCE;
        let opened = loop {
            self.events.clear();
            let opened = self.call("Page.navigate", json!({"url": url}));
            if opened["errorText"] != "net::ERR_ABORTED" {
                break opened;
            }
            assert!(Instant::now() < until, "{url} does not open: {opened}");
        };
        loop {
            let life = self.event("Page.lifecycleEvent");
            if life["name"] == "load" && life["loaderId"] == opened["loaderId"] {
                return;
            }
        }
    }

    /// Does something that leads to another page, and waits for it.
    pub fn leads(&mut self, act: impl FnOnce(&mut Self)) {
        self.events.clear();
        act(self);
        self.event("Page.loadEventFired");
    }

    /// A script's value; promises are waited for. On a page that gives way to another it is run again on the other.
    pub fn eval(&mut self, script: &str) -> Value {
        let params = json!({"expression": script, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let until = Instant::now() + PATIENCE;
        let answer = loop {
            match self.try_call("Runtime.evaluate", params.clone()) {
                Ok(answer) => break answer,
                Err(error) => {
                    let left = ["navigated", "context"].iter().any(|w| error.contains(w));
                    assert!(left && Instant::now() < until, "{script}: {error}");
                }
            }
        };
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The page's visible text.
    pub fn text(&mut self) -> String {
        self.eval("document.body.innerText")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Where the page is.
    pub fn address(&mut self) -> String {
        self.eval("location.href")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// A real click in the middle of an element; `false`: there is none, or it cannot be seen.
    pub fn click(&mut self, selector: &str) -> bool {
        let script = format!(
            "(() => {{ const e = document.querySelectorAll({selector:?}); if (!e.length) return null; \
             e[0].scrollIntoView({{block: 'center'}}); const r = e[0].getBoundingClientRect(); \
             return r.width && r.height ? [r.x + r.width / 2, r.y + r.height / 2] : null; }})()"
        );
        let place = self.eval(&script);
        let (Some(x), Some(y)) = (place[0].as_f64(), place[1].as_f64()) else {
            return false;
        };
        self.click_at(x, y);
        true
    }

    /// A real click.
    pub fn click_at(&mut self, x: f64, y: f64) {
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Types into an element.
    pub fn write(&mut self, selector: &str, text: &str) {
        let focused = self.eval(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e?.focus(); e?.select?.(); return !!e; }})()"
        ));
        assert_eq!(focused, true, "{selector}");
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses Enter where the focus is.
    pub fn enter(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let mut params =
                json!({"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13});
            if kind == "keyDown" {
                params["text"] = json!("\r");
            }
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    /// Leaves the page alone for as long as a patient machine would.
    pub fn leave_alone(&mut self, time: Duration) {
        self.eval(&format!(
            "new Promise(over => setTimeout(over, {}))",
            time.as_millis()
        ));
    }

    /// Sets width and colours.
    pub fn screen(&mut self, screen: Screen) {
        let height = if screen.width < 600 { 640 } else { 800 };
        let params = json!({"width": screen.width, "height": height, "deviceScaleFactor": 1, "mobile": screen.width < 600});
        self.call("Emulation.setDeviceMetricsOverride", params);
        let scheme = if screen.dark { "dark" } else { "light" };
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", feature);
    }

    /// A picture of the whole page.
    pub fn picture(&mut self, path: &Path) {
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let taken = self.call("Page.captureScreenshot", params);
        let bytes = BASE64_STANDARD
            .decode(taken["data"].as_str().unwrap_or_default())
            .expect("base64");
        fs::create_dir_all(path.parent().unwrap_or(path)).expect("a folder");
        fs::write(path, bytes).expect("written");
    }

    /// What axe-core has against the page: rule, help, and the first element.
    pub fn judged(&mut self, axe: &str) -> Vec<String> {
        self.eval(&format!("{axe}; true"));
        let found = self.eval(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => \
             v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary).join(' | ')))",
        );
        let found = found.as_array().cloned().unwrap_or_default();
        found
            .iter()
            .map(|v| v.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// A file for the page to open.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("written");
        format!("file://{}", path.display())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
