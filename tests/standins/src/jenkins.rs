//! Jenkins: folders, queue, builds, crumbs; shapes and statuses as its core and the JUnit plugin answer them.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{Asked, Reply, StandIn};

mod answers;

/// A controller with one user.
#[derive(Debug)]
pub struct Jenkins {
    /// As `/jenkins`; empty for none.
    pub context: String,
    /// What Jenkins believes its own address to be: behind a proxy that is often wrong.
    pub own_url: String,
    /// The one user.
    pub user: String,
    /// The user's API token: no crumb is needed with it.
    pub token: String,
    /// The user's password: POST needs a crumb with it.
    pub password: String,
    /// Whether the user may start and cancel builds.
    pub may_build: bool,
    /// How long a build waits in the queue.
    pub queue_time: SignedDuration,
    /// How long a left item has no build yet.
    pub making_time: SignedDuration,
    /// How long a build runs.
    pub build_time: SignedDuration,
    /// How the next builds end; when empty: well.
    pub outcomes: VecDeque<Outcome>,
    /// What ends a running build early.
    pub ends_at: Stop,
    /// What running builds ask: message, the word for going on, names of what is to be given. `None`: the Pipeline REST
    /// API plugin is not there; empty: they ask nothing.
    pub asks: Option<Vec<(String, String, Vec<String>)>>,
    jobs: BTreeMap<Vec<String>, Job>,
    items: Vec<Item>,
    sessions: u32,
}

/// What ends a running build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// The first `stop`.
    Stop,
    /// Only `term` or `kill`.
    Term,
    /// Only `kill`.
    Kill,
    /// Nothing.
    Never,
}

/// How a build ends.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `SUCCESS`, `UNSTABLE`, `FAILURE`, `NOT_BUILT`, `ABORTED`, or anything.
    pub result: String,
    /// Failed, skipped and all tests; `None`: no tests were published.
    pub tests: Option<(u64, u64, u64)>,
    /// Archived files.
    pub artifacts: Vec<(String, String)>,
    /// The log.
    pub console: String,
    /// The result is null for as long after the end.
    pub undecided: SignedDuration,
}

impl Outcome {
    /// This result, without tests and files.
    pub fn of(result: &str) -> Self {
        Self {
            result: result.to_owned(),
            tests: None,
            artifacts: Vec::new(),
            console: format!("Started\nFinished: {result}\n"),
            undecided: SignedDuration::ZERO,
        }
    }
}

/// A job, or a project that scans for branches.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// Declared parameters; `None`: not parameterised.
    pub parameters: Option<Vec<String>>,
    /// Whether it takes no builds.
    pub disabled: bool,
    /// A multibranch project: `build` starts a scan.
    pub multibranch: bool,
    builds: Vec<Build>,
}

#[derive(Debug, Clone)]
struct Build {
    number: u64,
    queue_id: u64,
    parameters: Vec<(String, String)>,
    started: Timestamp,
    ends: Timestamp,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
struct Item {
    id: u64,
    job: Vec<String>,
    parameters: Vec<(String, String)>,
    created: Timestamp,
    cancelled: Option<Timestamp>,
    build: Option<u64>,
}

/// A left item is forgotten after this.
const FORGOTTEN: SignedDuration = SignedDuration::from_mins(5);

impl Default for Jenkins {
    fn default() -> Self {
        Self {
            context: "/jenkins".to_owned(),
            own_url: "http://jenkins.internal:8080".to_owned(),
            user: "pipeline".to_owned(),
            token: "planted-token".to_owned(),
            password: "planted-password".to_owned(),
            may_build: true,
            queue_time: SignedDuration::from_secs(20),
            making_time: SignedDuration::from_secs(2),
            build_time: SignedDuration::from_mins(3),
            outcomes: VecDeque::new(),
            ends_at: Stop::Stop,
            asks: Some(Vec::new()),
            jobs: BTreeMap::new(),
            items: Vec::new(),
            sessions: 0,
        }
    }
}

impl Jenkins {
    /// With a job; `path` is its names joined by slashes, a slash in a name as `%2F`.
    pub fn with_job(mut self, path: &str, parameters: Option<&[&str]>) -> Self {
        let job = Job {
            parameters: parameters.map(|all| all.iter().map(|name| (*name).to_owned()).collect()),
            ..Job::default()
        };
        self.jobs.insert(names(path), job);
        self
    }

    /// As quick as a test over real time wants it.
    pub fn quick(mut self) -> Self {
        self.queue_time = SignedDuration::from_millis(100);
        self.making_time = SignedDuration::from_millis(50);
        self.build_time = SignedDuration::from_millis(300);
        self
    }

    /// A job to change.
    ///
    /// # Panics
    /// When there is none.
    pub fn job(&mut self, path: &str) -> &mut Job {
        self.jobs.get_mut(&names(path)).expect("a job")
    }

    /// Queue items made so far: each is a build, unless it is cancelled.
    pub fn starts(&self) -> usize {
        self.items.len()
    }

    /// What the builds were given for one parameter, in the order of their starts.
    pub fn given(&self, name: &str) -> Vec<String> {
        let all = self.items.iter().flat_map(|item| &item.parameters);
        all.filter(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Somebody else queues a build.
    pub fn queue(&mut self, path: &str, parameters: &[(&str, &str)], now: Timestamp) -> u64 {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let parameters = parameters.iter().map(own).collect();
        self.enqueue(names(path), parameters, now).0
    }

    /// Builds that run or are queued at this time, for asserting that nothing is left behind.
    pub fn alive(&mut self, now: Timestamp) -> usize {
        self.advance(now);
        let waiting = self.items.iter().filter(|item| item.is_waiting());
        let builds = self.jobs.values().flat_map(|job| &job.builds);
        waiting.count() + builds.filter(|build| build.ends > now).count()
    }

    fn enqueue(
        &mut self,
        job: Vec<String>,
        parameters: Vec<(String, String)>,
        now: Timestamp,
    ) -> (u64, bool) {
        let equal = self.items.iter().find(|item| {
            let waiting = item.is_waiting() && now < item.created + self.queue_time;
            waiting && item.job == job && item.parameters == parameters
        });
        if let Some(item) = equal {
            return (item.id, true);
        }
        let id = self.items.len() as u64 + 17;
        self.items.push(Item {
            id,
            job,
            parameters,
            created: now,
            cancelled: None,
            build: None,
        });
        (id, false)
    }

    /// Lets items leave the queue and become builds.
    fn advance(&mut self, now: Timestamp) {
        for item in &mut self.items {
            let starts = item.created + self.queue_time + self.making_time;
            if !item.is_waiting() || starts > now {
                continue;
            }
            let Some(job) = self.jobs.get_mut(&item.job) else {
                continue;
            };
            let number = job.builds.len() as u64 + 1;
            let outcome = self.outcomes.pop_front();
            job.builds.push(Build {
                number,
                queue_id: item.id,
                parameters: item.parameters.clone(),
                started: starts,
                ends: starts + self.build_time,
                outcome: outcome.unwrap_or_else(|| Outcome::of("SUCCESS")),
            });
            item.build = Some(number);
        }
    }

    /// Who asks, or the refusal.
    fn authenticate(&mut self, asked: &Asked) -> Result<(), Reply> {
        let Some((user, secret)) = asked.basic() else {
            return Err(Reply::html(403, "Authentication required")
                .header("X-You-Are-Authenticated-As", "anonymous"));
        };
        let known = user == self.user;
        if known && secret == self.token {
            return Ok(());
        }
        if !known || secret != self.password {
            return Err(Reply::html(401, "Invalid password/token for user")
                .header("WWW-Authenticate", "Basic realm=\"Jenkins user\""));
        }
        let cookie = asked.header("cookie").unwrap_or_default();
        let crumb = asked.header("jenkins-crumb").unwrap_or_default();
        let good = cookie
            .strip_prefix("JSESSIONID.1=s")
            .is_some_and(|number| !number.is_empty() && crumb == format!("crumb-{number}"));
        match asked.method == "POST" && !good {
            true => Err(Reply::html(
                403,
                "No valid crumb was included in the request",
            )),
            false => Ok(()),
        }
    }

    fn route(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        let Some(path) = asked.path.strip_prefix(&self.context) else {
            return Reply::html(404, "Not Found");
        };
        let inner = Asked {
            path: path.to_owned(),
            ..asked.clone()
        };
        if let Err(refused) = self.authenticate(asked) {
            return refused;
        }
        self.advance(now);
        let segments = inner.segments();
        let mut parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let mut job = Vec::new();
        while let ["job", name, ..] = parts[..] {
            job.push(name.to_owned());
            parts.drain(..2);
        }
        if job.is_empty() {
            return self.top(&parts, asked, now);
        }
        if !self.jobs.contains_key(&job) {
            let below = self.below(&job);
            let found = !below.is_empty() && parts == ["api", "json"];
            return match found {
                true => Reply::json(200, &self.folder(&job, &below)),
                false => Reply::html(404, "Not Found"),
            };
        }
        match parts[..] {
            ["api", "json"] => self.about_job(&job, asked, now),
            ["build" | "buildWithParameters"] => self.start(&job, parts[0], asked, now),
            [number, ref rest @ ..] => match number.parse() {
                Ok(number) => self.about_build(&job, number, rest, asked, now),
                Err(_) => Reply::html(404, "Not Found"),
            },
            [] => Reply::html(200, "Job"),
        }
    }

    fn top(&mut self, parts: &[&str], asked: &Asked, now: Timestamp) -> Reply {
        match parts {
            [] => Reply::html(200, "Dashboard"),
            ["api", "json"] => Reply::json(
                200,
                &json!({
                    "_class": "hudson.model.Hudson", "mode": "NORMAL", "nodeName": "", "useCrumbs": true, "useSecurity": true,
                    "url": format!("{}/", self.own_url),
                    "jobs": self.below(&[])
                }),
            ),
            ["crumbIssuer", "api", "json"] => {
                self.sessions += 1;
                let crumb = json!({
                    "_class": "hudson.security.csrf.DefaultCrumbIssuer", "crumbRequestField": "Jenkins-Crumb",
                    "crumb": format!("crumb-{}", self.sessions)
                });
                let cookie = format!("JSESSIONID.1=s{}; Path=/; HttpOnly", self.sessions);
                Reply::json(200, &crumb).header("Set-Cookie", &cookie)
            }
            ["queue", "api", "json"] => {
                let waiting = self
                    .items
                    .iter()
                    .filter(|item| item.is_waiting() && now < item.created + self.queue_time);
                let items: Vec<Value> = waiting.map(|item| self.item(item, now)).collect();
                Reply::json(
                    200,
                    &json!({"_class": "hudson.model.Queue", "discoverableItems": [], "items": items}),
                )
            }
            ["queue", "item", id, "api", "json"] => match self.find_item(id, now) {
                Some(item) => Reply::json(200, &self.item(item, now)),
                None => Reply::html(404, "Not Found"),
            },
            ["queue", "cancelItem"] if asked.method == "POST" => self.cancel(asked, now),
            _ => Reply::html(404, "Not Found"),
        }
    }

    fn find_item(&self, id: &str, now: Timestamp) -> Option<&Item> {
        let item = self.items.iter().find(|item| item.id.to_string() == id)?;
        let left = item.cancelled.unwrap_or(item.created + self.queue_time);
        (now < left + FORGOTTEN).then_some(item)
    }

    fn cancel(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        if !self.may_build {
            return Reply::empty(422);
        }
        let leaves = self.queue_time;
        let id = asked.param("id").unwrap_or_default();
        let found = self.items.iter_mut().find(|item| item.id.to_string() == id);
        match found {
            Some(item) if item.is_waiting() && now < item.created + leaves => {
                item.cancelled = Some(now);
                Reply::empty(204)
            }
            _ => Reply::empty(404),
        }
    }

    fn start(&mut self, names: &[String], how: &str, asked: &Asked, now: Timestamp) -> Reply {
        if asked.method != "POST" {
            return Reply::html(405, "Method Not Allowed").header("Allow", "POST");
        }
        if !self.may_build {
            return Reply::html(403, "pipeline is missing the Job/Build permission")
                .header("X-You-Are-Authenticated-As", &self.user)
                .header("X-Required-Permission", "hudson.model.Item.Build");
        }
        let job = &self.jobs[names];
        if job.multibranch {
            return Reply::empty(302).header("Location", &self.url_of(names));
        }
        if job.disabled {
            return Reply::html(409, "Error 409 is not buildable");
        }
        let with_parameters = how == "buildWithParameters";
        let given = [asked.query.clone(), asked.form(), asked.multipart()].concat();
        let parameters = match (&job.parameters, with_parameters) {
            (None, true) => return Reply::html(400, "is not parameterized"),
            (None, false) => Vec::new(),
            (Some(declared), _) => {
                // Undeclared ones are dropped; a declared one has an empty default here.
                let value = |name: &String| {
                    let found = given.iter().find(|(known, _)| known == name);
                    let value = found.map(|(_, value)| value.clone()).unwrap_or_default();
                    (name.clone(), value)
                };
                declared.iter().map(value).collect()
            }
        };
        let (id, merged) = self.enqueue(names.to_vec(), parameters, now);
        let status = if merged && with_parameters { 303 } else { 201 };
        Reply::empty(status).header("Location", &format!("{}/queue/item/{id}/", self.own_url))
    }
}

impl Item {
    fn is_waiting(&self) -> bool {
        self.cancelled.is_none() && self.build.is_none()
    }
}

const CLASS: &str = "org.jenkinsci.plugins.workflow.job.WorkflowJob";

fn names(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

impl StandIn for Jenkins {
    fn handle(&mut self, asked: &Asked, now: Timestamp) -> Reply {
        self.route(asked, now).header("X-Jenkins", "2.479.1")
    }
}
