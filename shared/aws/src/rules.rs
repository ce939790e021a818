//! The rules file of approvals: beside the function, or a parameter of Systems Manager.

use shared::{port::SecretStore, secret::SecretRef};

use crate::{error::chain, sdk::Aws, secrets::Secrets};

/// Reads the file of this path, or the parameter of `ssm:NAME`. For the start of a function, outside of its runtime.
///
/// # Errors
/// One sentence.
pub fn read(aws: &Aws, name: &str) -> Result<String, String> {
    if !name.starts_with("ssm:") {
        return std::fs::read_to_string(name)
            .map_err(|error| format!("{name} cannot be read: {error}"));
    }
    let parameter: SecretRef = name
        .parse()
        .map_err(|_| "write ssm: and the name of a parameter".to_owned())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the async runtime failed: {error}"))?;
    // Made here: its connections live in this runtime.
    let read = runtime.block_on(Secrets::new(aws).read(&parameter));
    let text = read.map_err(|error| format!("{name} cannot be read: {}", chain(&error)))?;
    Ok(text.reveal().clone())
}
