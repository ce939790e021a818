//! The example pipeline of `infra/` runs with the engine, from the template that CloudFormation takes.

use std::fs;

use harness::{
    example::Example,
    process::{run, shown},
    workspace::root,
};

const PREVIEW: &str = "PreviewUrl={base-url}/_stagewright/site/corner-bakery-preview/";
const SITE: &str = "SiteUrl={base-url}/_stagewright/site/corner-bakery-live/";

#[test]
fn the_example_pipeline_runs_from_its_template() {
    let example = Example::new();
    let template = root()
        .join("infra/example-pipeline.yaml")
        .display()
        .to_string();
    let config = example.folder().join("stagewright.toml");
    let text = fs::read_to_string(&config).expect("the example's configuration");
    fs::write(
        &config,
        format!("{text}\n[function.action-gate]\ntimeout_seconds = 60\n"),
    )
    .expect("written");
    let (config, state) = (
        config.display().to_string(),
        example.state().display().to_string(),
    );
    let fixed = [
        "run",
        &template,
        "--config",
        &config,
        "--state",
        &state,
        "--parameter",
        "Functions=",
        "--variable",
        PREVIEW,
        "--variable",
        SITE,
        "--approve",
        "yes",
    ];
    let output = run(&example.folder(), &fixed);
    let said = shown(&output);
    assert!(output.status.success(), "{said}");
    for action in [
        "action-http-check",
        "action-gate",
        "action-publish-site",
        "Hours",
        "Approved in decision",
    ] {
        assert!(said.contains(action), "{action}: {said}");
    }
}
