//! Smithy RPC v2 CBOR: bodies to and from JSON values; times carry tag 1.

use minicbor::{
    Decoder, Encoder,
    data::{Tag, Type},
};
use serde_json::{Map, Value, json};

use super::Fault;

/// Nested more deeply than anything the model has.
const DEPTH: usize = 16;

/// A call's members; an empty body has none.
pub(super) fn read(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let mut decoder = Decoder::new(body);
    value(&mut decoder, DEPTH).map_err(|error| {
        Fault::new(
            400,
            "SerializationException",
            format!("the body is not CBOR: {error}"),
        )
    })
}

type Read<T> = Result<T, minicbor::decode::Error>;

fn value(decoder: &mut Decoder<'_>, depth: usize) -> Read<Value> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(minicbor::decode::Error::message("nested too deeply"));
    };
    Ok(match decoder.datatype()? {
        Type::Bool => json!(decoder.bool()?),
        Type::Null | Type::Undefined => {
            decoder.skip()?;
            Value::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => json!(decoder.u64()?),
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => json!(decoder.i64()?),
        Type::F16 | Type::F32 | Type::F64 => json!(decoder.f64()?),
        Type::String | Type::StringIndef => {
            let parts = decoder.str_iter()?;
            json!(parts.collect::<Read<String>>()?)
        }
        Type::Tag => {
            decoder.tag()?;
            value(decoder, depth)?
        }
        Type::Array | Type::ArrayIndef => {
            let mut left = decoder.array()?;
            let mut list = Vec::new();
            while more(decoder, &mut left)? {
                list.push(value(decoder, depth)?);
            }
            Value::Array(list)
        }
        Type::Map | Type::MapIndef => {
            let mut left = decoder.map()?;
            let mut members = Map::new();
            while more(decoder, &mut left)? {
                let key = decoder.str_iter()?.collect::<Read<String>>()?;
                members.insert(key, value(decoder, depth)?);
            }
            Value::Object(members)
        }
        other => return Err(minicbor::decode::Error::type_mismatch(other)),
    })
}

/// Whether another element follows; takes the break of an indefinite one.
fn more(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Read<bool> {
    match left {
        Some(0) => Ok(false),
        Some(count) => {
            *count -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => {
            decoder.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// A reply.
pub(super) fn write(reply: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    if let Err(error) = put(&mut encoder, "", reply) {
        // writing to memory cannot fail
        tracing::error!(%error, "a reply was cut off");
    }
    encoder.into_writer()
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn put(encoder: &mut Encoder<Vec<u8>>, name: &str, value: &Value) -> Written {
    let done = match value {
        Value::Null => encoder.null(),
        Value::Bool(flag) => encoder.bool(*flag),
        Value::Number(number) if name.ends_with("Timestamp") => encoder
            .tag(Tag::new(1))
            .and_then(|it| it.f64(number.as_f64().unwrap_or_default())),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => encoder.u64(whole),
            (None, Some(whole)) => encoder.i64(whole),
            (None, None) => encoder.f64(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => encoder.str(text),
        Value::Array(list) => {
            encoder.array(list.len() as u64)?;
            for value in list {
                put(encoder, "", value)?;
            }
            return Ok(());
        }
        Value::Object(members) => {
            encoder.map(members.len() as u64)?;
            for (name, value) in members {
                encoder.str(name)?;
                put(encoder, name, value)?;
            }
            return Ok(());
        }
    };
    done.map(drop)
}
