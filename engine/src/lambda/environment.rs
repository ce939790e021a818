//! The environment of a function's process, as Lambda sets it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{ROLE_TOKEN, lookup::Recipe};

/// `PATH` of Lambda's own runtimes; the program's folder is put before it.
const LAMBDA_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/opt/bin";

/// What is particular to this engine and this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub region: &'a str,
    pub endpoint: &'a str,
    /// `host:port` of the Runtime API.
    pub runtime_api: &'a str,
    pub log_stream: &'a str,
}

/// All variables; nothing of the engine's own environment is inherited. What the configuration names wins.
pub(super) fn environment(recipe: &Recipe, around: Surroundings<'_>) -> BTreeMap<String, OsString> {
    let role = role(&recipe.name);
    let task_root = task_root(recipe);
    let memory = recipe.memory_mb.to_string();
    let log_group = format!("/aws/lambda/{}", recipe.name);
    let libraries = format!("{0}:{0}/lib:/opt/lib", task_root.display());
    // As Lambda's own emulator of the runtime takes it from an image's command.
    let handler = recipe.arguments.last().map_or("bootstrap", String::as_str);
    let mut all: BTreeMap<String, OsString> = [
        ("_HANDLER", handler),
        ("AWS_LAMBDA_RUNTIME_API", around.runtime_api),
        ("AWS_LAMBDA_FUNCTION_NAME", &recipe.name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", around.log_stream),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", around.region),
        ("AWS_DEFAULT_REGION", around.region),
        ("AWS_ACCESS_KEY_ID", &role.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &role.secret_access_key),
        ("AWS_SESSION_TOKEN", &role.session_token),
        ("AWS_ENDPOINT_URL", around.endpoint),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LANG", "en_US.UTF-8"),
        ("LD_LIBRARY_PATH", &libraries),
        ("TZ", ":UTC"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), OsString::from(value)))
    .collect();
    all.insert("LAMBDA_TASK_ROOT".to_owned(), task_root.into());
    all.insert("PATH".to_owned(), search_path(&recipe.program));
    for (name, value) in &recipe.environment {
        all.insert(name.clone(), value.into());
    }
    all
}

fn task_root(recipe: &Recipe) -> PathBuf {
    recipe.folder.clone()
}

fn search_path(program: &Path) -> OsString {
    let own = program
        .parent()
        .filter(|p| p.is_absolute())
        .map(Path::to_owned);
    let lambda = env::split_paths(LAMBDA_PATH);
    env::join_paths(own.into_iter().chain(lambda)).unwrap_or_else(|_| LAMBDA_PATH.into())
}

/// The function role's identity: any credentials are taken by the faces, these say whose call it was.
struct Role {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
}

fn role(function: &str) -> Role {
    let digest = hex::encode_upper(Sha256::digest(function));
    Role {
        access_key_id: format!("ASIA{}", &digest[..16]),
        secret_access_key: format!("function-role-{function}"),
        session_token: format!("{ROLE_TOKEN}{function}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn everything_lambda_sets_and_nothing_else() {
        let recipe = Recipe {
            name: "f".to_owned(),
            program: "/srv/app/f".into(),
            arguments: Vec::new(),
            folder: "/srv/task".into(),
            environment: [("MODE".to_owned(), "x".to_owned())].into(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            url: false,
            built: None,
        };
        let around = Surroundings {
            region: "eu-west-1",
            endpoint: "http://127.0.0.1:4599",
            runtime_api: "127.0.0.1:9001",
            log_stream: "2026/11/23/[$LATEST]0",
        };
        let all = environment(&recipe, around);
        let value = |name: &str| all.get(name).and_then(|v| v.to_str()).unwrap_or("-");
        assert_eq!(value("MODE"), "x");
        assert_eq!(value("AWS_ENDPOINT_URL"), "http://127.0.0.1:4599");
        assert_eq!(value("AWS_LAMBDA_RUNTIME_API"), "127.0.0.1:9001");
        assert_eq!(value("LAMBDA_TASK_ROOT"), "/srv/task");
        assert_eq!(
            value("PATH"),
            "/srv/app:/usr/local/bin:/usr/bin:/bin:/opt/bin"
        );
        assert_eq!(all.len(), 22, "{:?}", all.keys());
    }
}
