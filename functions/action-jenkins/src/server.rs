//! Jenkins' API, as far as it is used: one value for one step.

use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use shared::{
    port::Timer,
    provider::{Answer, Call, Http, Payload, Provider, ProviderError, Trouble},
    secret::Secret,
};

use crate::{
    params::Params,
    wire::{About, Asks, Build, Crumb, Item, Queue},
};

/// Lists of builds may be long.
const LIST_LIMIT: usize = 8 * 1024 * 1024;
/// Builds that are looked through.
const LOOKED_THROUGH: u32 = 100;

/// A Jenkins with one user's credentials, for one job.
pub struct Server<'a, H, T> {
    pub provider: &'a Provider<H, T>,
    pub params: &'a Params,
    pub secret: Secret,
    pub now: Timestamp,
    pub budget: Duration,
}

impl<H: Http, T: Timer> Server<'_, H, T> {
    /// The job with its declared parameters.
    pub async fn about(&self) -> Result<About, ProviderError> {
        let tree = "name,buildable,property[parameterDefinitions[name]]";
        self.read("the job", &self.of_job(&format!("/api/json?tree={tree}")))
            .await
    }

    /// The job's last builds with what they were given, newest first.
    pub async fn builds(&self) -> Result<Vec<Build>, ProviderError> {
        let tree = format!(
            "builds[number,queueId,building,result,actions[parameters[name,value]]]%7B0,{LOOKED_THROUGH}%7D"
        );
        let about: About = self
            .read(
                "the builds",
                &self.of_job(&format!("/api/json?tree={tree}")),
            )
            .await?;
        Ok(about.builds)
    }

    /// Everything that waits.
    pub async fn queue(&self) -> Result<Vec<Item>, ProviderError> {
        let tree = "items[id,why,actions[parameters[name,value]]]";
        let queue: Queue = self
            .read(
                "the queue",
                &self.at(&format!("/queue/api/json?tree={tree}")),
            )
            .await?;
        Ok(queue.items)
    }

    /// One item; gone 5 minutes after it left the queue.
    pub async fn item(&self, id: u64) -> Result<Item, ProviderError> {
        self.read(
            "the queue item",
            &self.at(&format!("/queue/item/{id}/api/json")),
        )
        .await
    }

    /// The build that a queue item became, among the last ones.
    pub async fn build_of_item(&self, id: u64) -> Result<Option<u64>, ProviderError> {
        let builds = self.builds().await?;
        let found = builds.iter().find(|build| build.queue_id == Some(id));
        Ok(found.map(|build| build.number))
    }

    /// One build.
    pub async fn build(&self, number: u64) -> Result<Build, ProviderError> {
        let tree = "number,url,queueId,building,inProgress,result,duration,estimatedDuration,timestamp,\
                    artifacts[fileName,relativePath],actions[failCount,skipCount,totalCount,urlName]";
        self.read(
            "the build",
            &self.of_job(&format!("/{number}/api/json?tree={tree}")),
        )
        .await
    }

    /// What a Pipeline build waits to be answered; not found without the Pipeline REST API plugin.
    pub async fn asks(&self, number: u64) -> Result<Vec<Asks>, ProviderError> {
        let url = self.of_job(&format!("/{number}/wfapi/pendingInputActions"));
        self.read("the questions of the build", &url).await
    }

    /// Queues a build, with this form where the job takes parameters.
    pub async fn start(&self, form: Option<Payload>) -> Result<Answer, ProviderError> {
        let (how, payload) = match form {
            None => ("/build?delay=0sec", Payload::Empty),
            Some(form) => ("/buildWithParameters?delay=0sec", form),
        };
        self.post(Call::post(
            "the start of the build",
            self.of_job(how),
            payload,
        ))
        .await
    }

    /// Takes an item out of the queue; whether it was there.
    pub async fn cancel(&self, id: u64) -> Result<bool, ProviderError> {
        let url = self.at(&format!("/queue/cancelItem?id={id}"));
        let call = Call::post("the end of the queue item", url, Payload::Empty).repeatable();
        match self.post(call).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends a build by `stop`, `term` or `kill`; the last two exist of Pipeline jobs only.
    pub async fn end(&self, number: u64, how: &str) -> Result<(), ProviderError> {
        let url = self.of_job(&format!("/{number}/{how}"));
        let call = Call::post("the end of the build", url, Payload::Empty).repeatable();
        match self.post(call).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The end of a build's log, at most so many bytes; empty when it cannot be read.
    pub async fn tail(&self, number: u64, bytes: u64) -> String {
        let part = |start: u64| {
            let url = self.of_job(&format!("/{number}/logText/progressiveText?start={start}"));
            Call::get("the build's log", url)
        };
        // The size is in the first answer's header, whose body is not wanted.
        let Ok(first) = self.ask(&part(0).limit(1)).await else {
            return String::new();
        };
        let size = first
            .header("x-text-size")
            .and_then(|size| size.parse::<u64>().ok());
        let start = size.unwrap_or_default().saturating_sub(bytes);
        let limit = usize::try_from(bytes).unwrap_or_default();
        let call = part(start).limit(limit);
        match self.ask(&call).await {
            Ok(answer) => self.authorized(&call).redact(&answer.text()),
            Err(_) => String::new(),
        }
    }

    /// A call of the job's own address, for what is saved into files.
    pub fn of_job(&self, path: &str) -> String {
        self.at(&format!("{}{path}", self.params.job.url_path()))
    }

    /// Asks with the credentials, which Jenkins wants at once.
    pub async fn ask(&self, call: &Call) -> Result<Answer, ProviderError> {
        self.provider
            .ask(&self.authorized(call), self.budget, self.now)
            .await
    }

    fn authorized(&self, call: &Call) -> Call {
        call.clone().basic(&self.params.user, &self.secret)
    }

    /// Asks for JSON.
    pub async fn read<V: DeserializeOwned>(
        &self,
        what: &'static str,
        url: &str,
    ) -> Result<V, ProviderError> {
        let call = Call::get(what, url).limit(LIST_LIMIT);
        self.ask(&call).await?.json()
    }

    /// POSTs. Where the secret is a password, Jenkins refuses a POST without a crumb of the same session: nothing was done
    /// then, and it is sent once more with one.
    async fn post(&self, call: Call) -> Result<Answer, ProviderError> {
        let refused = match self.ask(&call).await {
            Err(error) if error.trouble == (Trouble::Denied { status: 403 }) => error,
            answered => return answered,
        };
        let issuer = Call::get("the crumb", self.at("/crumbIssuer/api/json"));
        let Ok(answer) = self.ask(&issuer).await else {
            return Err(refused);
        };
        let Ok(crumb) = answer.json::<Crumb>() else {
            return Err(refused);
        };
        let cookies = answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie");
        let cookies = cookies.map(|(_, value)| value.split(';').next().unwrap_or_default());
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let call = call
            .header(crumb.crumb_request_field, crumb.crumb)
            .header("cookie", cookies);
        self.ask(&call).await
    }

    fn at(&self, path: &str) -> String {
        self.params.base.at(path)
    }
}
