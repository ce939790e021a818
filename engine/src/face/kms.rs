//! KMS, JSON 1.1 (`X-Amz-Target: TrentService.…`).

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Fault, JsonAnswer};
use crate::{
    app::App,
    store::keys::{KeyError, KeyFacts, KeySpec, Keys},
};

/// Largest message that Sign and Verify take as RAW.
const RAW_LIMIT: usize = 4096;
const SIGNING: &str = "ED25519_SHA_512";
const ENCRYPTION: &str = "SYMMETRIC_DEFAULT";

/// Answers one operation.
///
/// # Errors
/// KMS's own refusals.
pub async fn call(app: &App, call: &Call) -> JsonAnswer {
    answer(&app.keys, &app.config.engine.account, call)
}

fn answer(keys: &Keys, account: &str, call: &Call) -> JsonAnswer {
    match call.operation.as_str() {
        "CreateKey" => {
            let request: CreateKey = call.json()?;
            let spec = spec(&request)?;
            let facts = keys.create(spec, &request.description).map_err(fault)?;
            Ok(json!({"KeyMetadata": metadata(&facts, account)}))
        }
        "DescribeKey" => {
            let request: OneKey = call.json()?;
            let facts = keys.describe(&request.key_id).map_err(fault)?;
            Ok(json!({"KeyMetadata": metadata(&facts, account)}))
        }
        "ListKeys" => {
            let list = keys.list();
            let list: Vec<Value> = list
                .iter()
                .map(|k| json!({"KeyId": k.id, "KeyArn": k.arn}))
                .collect();
            Ok(json!({"Keys": list, "Truncated": false}))
        }
        "CreateAlias" => {
            let request: CreateAlias = call.json()?;
            keys.create_alias(&request.alias_name, &request.target_key_id)
                .map_err(fault)?;
            Ok(json!({}))
        }
        "ListAliases" => {
            let arns: BTreeMap<String, String> =
                keys.list().into_iter().map(|k| (k.id, k.arn)).collect();
            let list: Vec<Value> = keys
                .aliases()
                .into_iter()
                .map(|(name, id)| {
                    let arn = arns.get(&id).and_then(|arn| arn.rsplit_once(":key/"));
                    let arn = arn.map(|(account, _)| format!("{account}:{name}"));
                    json!({"AliasName": name, "AliasArn": arn, "TargetKeyId": id})
                })
                .collect();
            Ok(json!({"Aliases": list, "Truncated": false}))
        }
        "GetPublicKey" => {
            let request: OneKey = call.json()?;
            let der = keys.public_key_der(&request.key_id).map_err(fault)?;
            let facts = keys.describe(&request.key_id).map_err(fault)?;
            Ok(json!({
                "KeyId": facts.arn,
                "PublicKey": BASE64_STANDARD.encode(der),
                "CustomerMasterKeySpec": facts.spec,
                "KeySpec": facts.spec,
                "KeyUsage": "SIGN_VERIFY",
                "SigningAlgorithms": [SIGNING],
            }))
        }
        "Sign" => {
            let request: Sign = call.json()?;
            let message = request.message()?;
            let signature = keys.sign(&request.key_id, &message).map_err(fault)?;
            let facts = keys.describe(&request.key_id).map_err(fault)?;
            Ok(json!({
                "KeyId": facts.arn,
                "Signature": BASE64_STANDARD.encode(signature),
                "SigningAlgorithm": SIGNING,
            }))
        }
        "Verify" => {
            let request: Sign = call.json()?;
            let message = request.message()?;
            let signature = bytes(
                "Signature",
                request.signature.as_deref().unwrap_or_default(),
            )?;
            let good = keys
                .verify(&request.key_id, &message, &signature)
                .map_err(fault)?;
            if !good {
                return Err(Fault::new(400, "KMSInvalidSignatureException", ""));
            }
            let facts = keys.describe(&request.key_id).map_err(fault)?;
            Ok(json!({"KeyId": facts.arn, "SignatureValid": true, "SigningAlgorithm": SIGNING}))
        }
        "Encrypt" => {
            let request: Encrypt = call.json()?;
            let plaintext = bytes("Plaintext", &request.plaintext)?;
            if plaintext.is_empty() || plaintext.len() > RAW_LIMIT {
                return Err(invalid("Plaintext must be 1 to 4096 bytes long"));
            }
            let blob = keys.encrypt(&request.key_id, &plaintext, &request.encryption_context);
            let facts = keys.describe(&request.key_id).map_err(fault)?;
            Ok(json!({
                "KeyId": facts.arn,
                "CiphertextBlob": BASE64_STANDARD.encode(blob.map_err(fault)?),
                "EncryptionAlgorithm": ENCRYPTION,
            }))
        }
        "Decrypt" => {
            let request: Decrypt = call.json()?;
            let blob = bytes("CiphertextBlob", &request.ciphertext_blob)?;
            let (id, plaintext) = keys
                .decrypt(&blob, &request.encryption_context)
                .map_err(fault)?;
            let facts = keys.describe(&id).map_err(fault)?;
            if let Some(wanted) = &request.key_id
                && keys.describe(wanted).map_err(fault)?.id != id
            {
                return Err(Fault::new(
                    400,
                    "IncorrectKeyException",
                    "the ciphertext was encrypted under another key",
                ));
            }
            Ok(json!({
                "KeyId": facts.arn,
                "Plaintext": BASE64_STANDARD.encode(plaintext),
                "EncryptionAlgorithm": ENCRYPTION,
            }))
        }
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
            let request: GenerateDataKey = call.json()?;
            let length = match (request.key_spec.as_deref(), request.number_of_bytes) {
                (Some("AES_256"), None) => 32,
                (Some("AES_128"), None) => 16,
                (None, Some(n @ 1..=1024)) => n,
                _ => {
                    return Err(invalid(
                        "exactly one of KeySpec (AES_256, AES_128) and NumberOfBytes (1 to 1024) is needed",
                    ));
                }
            };
            let mut plaintext = vec![0; length];
            SystemRandom::new()
                .fill(&mut plaintext)
                .map_err(|_| Fault::new(500, "KMSInternalException", "no random numbers"))?;
            let blob = keys.encrypt(&request.key_id, &plaintext, &request.encryption_context);
            let facts = keys.describe(&request.key_id).map_err(fault)?;
            let mut answer = json!({
                "KeyId": facts.arn,
                "CiphertextBlob": BASE64_STANDARD.encode(blob.map_err(fault)?),
            });
            if call.operation == "GenerateDataKey" {
                answer["Plaintext"] = Value::from(BASE64_STANDARD.encode(plaintext));
            }
            Ok(answer)
        }
        other => Err(Fault::not_built("kms", other)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneKey {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct CreateKey {
    description: String,
    key_usage: String,
    key_spec: Option<String>,
    customer_master_key_spec: Option<String>,
}

impl Default for CreateKey {
    fn default() -> Self {
        Self {
            description: String::new(),
            key_usage: "ENCRYPT_DECRYPT".to_owned(),
            key_spec: None,
            customer_master_key_spec: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateAlias {
    alias_name: String,
    target_key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sign {
    key_id: String,
    message: String,
    #[serde(default)]
    message_type: Option<String>,
    signing_algorithm: String,
    #[serde(default)]
    signature: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypt {
    key_id: String,
    plaintext: String,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt {
    ciphertext_blob: String,
    #[serde(default)]
    key_id: Option<String>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateDataKey {
    key_id: String,
    #[serde(default)]
    key_spec: Option<String>,
    #[serde(default)]
    number_of_bytes: Option<usize>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

impl Sign {
    fn message(&self) -> Result<Vec<u8>, Fault> {
        if self.signing_algorithm != SIGNING {
            let text = format!(
                "Algorithm {} is incompatible with the key: {SIGNING} is built",
                self.signing_algorithm
            );
            return Err(Fault::new(400, "InvalidKeyUsageException", text));
        }
        if self.message_type.as_deref().unwrap_or("RAW") != "RAW" {
            return Err(invalid("ED25519_SHA_512 signs MessageType RAW only"));
        }
        let message = bytes("Message", &self.message)?;
        if message.is_empty() || message.len() > RAW_LIMIT {
            return Err(invalid("Message must be 1 to 4096 bytes long"));
        }
        Ok(message)
    }
}

fn spec(request: &CreateKey) -> Result<KeySpec, Fault> {
    let spec = request
        .key_spec
        .as_ref()
        .or(request.customer_master_key_spec.as_ref());
    let spec = spec.map_or("SYMMETRIC_DEFAULT", String::as_str);
    match (spec, request.key_usage.as_str()) {
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT") => Ok(KeySpec::Symmetric),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY") => Ok(KeySpec::Ed25519),
        (spec, usage) => Err(Fault::new(
            400,
            "UnsupportedOperationException",
            format!(
                "stagewright makes SYMMETRIC_DEFAULT keys for ENCRYPT_DECRYPT and ECC_NIST_EDWARDS25519 keys for SIGN_VERIFY, not {spec} for {usage}"
            ),
        )),
    }
}

fn metadata(facts: &KeyFacts, account: &str) -> Value {
    let mut metadata = json!({
        "AWSAccountId": account,
        "KeyId": facts.id,
        "Arn": facts.arn,
        "CreationDate": facts.created.as_millisecond() as f64 / 1000.0,
        "Enabled": true,
        "Description": facts.description,
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": facts.spec,
        "KeySpec": facts.spec,
        "MultiRegion": false,
    });
    let (usage, field, algorithm) = match facts.spec {
        KeySpec::Ed25519 => ("SIGN_VERIFY", "SigningAlgorithms", SIGNING),
        KeySpec::Symmetric => ("ENCRYPT_DECRYPT", "EncryptionAlgorithms", ENCRYPTION),
    };
    metadata["KeyUsage"] = json!(usage);
    metadata[field] = json!([algorithm]);
    metadata
}

fn bytes(field: &str, text: &str) -> Result<Vec<u8>, Fault> {
    BASE64_STANDARD.decode(text).map_err(|_| {
        Fault::new(
            400,
            "SerializationException",
            format!("{field} is not base64"),
        )
    })
}

fn invalid(text: &str) -> Fault {
    Fault::new(400, "ValidationException", text)
}

fn fault(error: KeyError) -> Fault {
    let status = if error.code == "KMSInternalException" {
        500
    } else {
        400
    };
    Fault::new(status, error.code, error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use bytes::Bytes;

    use crate::{clock::Clock, face::Caller};

    fn ask(keys: &Keys, operation: &str, body: Value) -> JsonAnswer {
        let call = Call {
            service: "kms".to_owned(),
            operation: operation.to_owned(),
            caller: Caller {
                access_key: String::new(),
                arn: String::new(),
            },
            method: http::Method::POST,
            uri: http::Uri::from_static("/"),
            headers: http::HeaderMap::new(),
            body: Bytes::from(body.to_string()),
            request_id: String::new(),
        };
        answer(keys, "123456789012", &call)
    }

    #[test]
    fn a_signing_key_through_the_wire() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(folder.path(), Arc::default(), Clock::real()).expect("keys");
        let made = ask(
            &keys,
            "CreateKey",
            json!({"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"}),
        );
        let id = made.expect("a key")["KeyMetadata"]["KeyId"].clone();
        ask(
            &keys,
            "CreateAlias",
            json!({"AliasName": "alias/a", "TargetKeyId": id}),
        )
        .expect("an alias");
        let message = BASE64_STANDARD.encode("hello");
        let mut request = json!({"KeyId": "alias/a", "Message": message, "MessageType": "RAW", "SigningAlgorithm": SIGNING});
        let signature =
            ask(&keys, "Sign", request.clone()).expect("a signature")["Signature"].clone();
        let public =
            ask(&keys, "GetPublicKey", json!({"KeyId": id})).expect("a key")["PublicKey"].clone();
        let der = BASE64_STANDARD
            .decode(public.as_str().expect("text"))
            .expect("base64");
        let raw = BASE64_STANDARD
            .decode(signature.as_str().expect("text"))
            .expect("base64");
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &der[12..])
            .verify(b"hello", &raw)
            .expect("ring agrees");
        request["Signature"] = signature;
        assert_eq!(
            ask(&keys, "Verify", request.clone()).expect("good")["SignatureValid"],
            true
        );
        request["Message"] = json!(BASE64_STANDARD.encode("other"));
        assert_eq!(
            ask(&keys, "Verify", request).expect_err("bad").code,
            "KMSInvalidSignatureException"
        );
        assert_eq!(
            ask(&keys, "RotateKeyOnDemand", json!({}))
                .expect_err("not built")
                .status,
            501
        );
    }

    #[test]
    fn a_data_key_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Keys::open(folder.path(), Arc::default(), Clock::real()).expect("keys");
        let made = ask(&keys, "CreateKey", json!({})).expect("a key");
        let id = made["KeyMetadata"]["KeyId"].clone();
        let data = ask(
            &keys,
            "GenerateDataKey",
            json!({"KeyId": id, "KeySpec": "AES_256"}),
        )
        .expect("a data key");
        let back = ask(
            &keys,
            "Decrypt",
            json!({"CiphertextBlob": data["CiphertextBlob"]}),
        )
        .expect("plain");
        assert_eq!(back["Plaintext"], data["Plaintext"]);
        assert_eq!(back["KeyId"], made["KeyMetadata"]["Arn"]);
    }
}
