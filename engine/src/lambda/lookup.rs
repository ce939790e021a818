//! Which program a function is: configured, or a workspace binary of the same name.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::InvokeError;
use crate::config::Config;

/// Timeout of a workspace binary without configuration: its template would set one, Lambda's default of 3 s is for nobody.
const UNCONFIGURED_TIMEOUT: u32 = 60;
/// Memory told to a workspace binary without configuration.
const UNCONFIGURED_MEMORY_MB: u32 = 256;

/// Everything needed to start a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    pub name: String,
    /// Absolute where it was found; as configured where it was not, so that starting it says why.
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub folder: PathBuf,
    pub environment: BTreeMap<String, String>,
    pub timeout: Duration,
    pub memory_mb: u32,
    /// Reachable by a function URL.
    pub url: bool,
    /// When the program was built: a rebuilt one gets new processes.
    pub built: Option<SystemTime>,
}

/// The name in `NAME`, `NAME:QUALIFIER`, `ACCOUNT:function:NAME` or an ARN.
pub(super) fn function_name(text: &str) -> &str {
    let rest = match text.rsplit_once(":function:") {
        Some((_, rest)) => rest,
        None => text.strip_prefix("function:").unwrap_or(text),
    };
    rest.split(':').next().unwrap_or(rest)
}

/// Finds a function in the configuration, else as a program in `binaries`.
pub(super) fn find(
    config: &Config,
    binaries: Option<&Path>,
    function: &str,
) -> Result<Recipe, InvokeError> {
    let name = function_name(function);
    let unknown = || InvokeError::UnknownFunction(name.to_owned());
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !plain {
        return Err(unknown());
    }
    let configured = config.function.get(name);
    let base = if config.folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        &config.folder
    };
    let command = configured.and_then(|f| f.command.as_ref());
    let cwd = configured.and_then(|f| f.cwd.as_ref());
    let folder = absolute(&cwd.map_or_else(|| base.to_owned(), |cwd| base.join(cwd)));
    let (program, arguments, folder) = match command.map(Vec::as_slice) {
        Some([program, arguments @ ..]) => {
            let program = resolve(program, &folder, base);
            (program, arguments.to_vec(), folder)
        }
        Some([]) | None => {
            let program = binaries.map(|b| b.join(name)).filter(|p| p.is_file());
            let program = absolute(&program.ok_or_else(unknown)?);
            let own = program.parent().map_or_else(PathBuf::new, Path::to_owned);
            (program, Vec::new(), cwd.map_or(own, |_| folder))
        }
    };
    Ok(Recipe {
        name: name.to_owned(),
        built: program.metadata().and_then(|m| m.modified()).ok(),
        program,
        arguments,
        folder,
        environment: configured.map_or_else(BTreeMap::new, |f| f.environment.clone()),
        timeout: Duration::from_secs(
            configured
                .map_or(UNCONFIGURED_TIMEOUT, |f| f.timeout_seconds)
                .clamp(1, 900)
                .into(),
        ),
        memory_mb: configured.map_or(UNCONFIGURED_MEMORY_MB, |f| f.memory_mb),
        url: configured.is_some_and(|f| f.url),
    })
}

/// A program with a slash is a path seen from the function's folder, then from the configuration's; one without is
/// looked for as the engine's own shell would.
fn resolve(program: &str, folder: &Path, base: &Path) -> PathBuf {
    if program.contains('/') {
        let mine = folder.join(program);
        if mine.exists() {
            return mine;
        }
        return absolute(&base.join(program));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| PathBuf::from(program))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FunctionConfig;

    #[test]
    fn names_are_taken_out_of_arns() {
        for (text, name) in [
            ("f", "f"),
            ("f:$LATEST", "f"),
            ("arn:aws:lambda:eu-west-1:123456789012:function:f", "f"),
            ("arn:aws:lambda:eu-west-1:123456789012:function:f:prod", "f"),
            ("123456789012:function:f", "f"),
            ("function:f:1", "f"),
        ] {
            assert_eq!(function_name(text), name, "{text}");
        }
    }

    #[test]
    fn configured_then_beside_then_unknown() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("action-x"), "").expect("a file");
        let mut config = Config {
            folder: folder.path().to_owned(),
            ..Config::default()
        };
        let found = find(&config, Some(folder.path()), "action-x").expect("beside");
        assert_eq!(found.program, folder.path().join("action-x"));
        assert_eq!(found.timeout, Duration::from_secs(60));
        let toml = "command = [\"sh\", \"-c\", \"true\"]\ncwd = \"sub\"\n";
        let function: FunctionConfig = toml::from_str(toml).expect("a function");
        config.function.insert("mine".to_owned(), function);
        let found = find(&config, None, "mine:$LATEST").expect("configured");
        assert!(found.program.is_absolute(), "{:?}", found.program);
        assert_eq!(found.arguments, ["-c", "true"]);
        assert_eq!(found.folder, folder.path().join("sub"));
        assert_eq!(found.timeout, Duration::from_secs(3));
        for bad in ["other", "../etc/passwd", "", "a b"] {
            let refusal = find(&config, Some(folder.path()), bad);
            assert!(
                matches!(refusal, Err(InvokeError::UnknownFunction(_))),
                "{bad}"
            );
        }
    }
}
