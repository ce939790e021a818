//! Starts the function.

use std::{convert::Infallible, process::ExitCode};

use action_gate::Gate;
use shared::provider::Provider;
use shared_aws::{
    clock::TokioTimer,
    hosting::{Hosted, run_action},
    provider::ProviderHttp,
    rpc::JsonServices,
    secrets::Secrets,
};

fn main() -> ExitCode {
    run_action(|aws| {
        let page = Provider::new(ProviderHttp::new(aws), TokioTimer, "The gate's page");
        let action = Gate::new(JsonServices::new(aws), page, Secrets::new(aws));
        Ok::<_, Infallible>(Hosted::new(action))
    })
}
