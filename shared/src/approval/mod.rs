//! Approvals: what is asked, who may answer, how votes become exactly one decision, and the signed link.
//!
//! Reading order: [`request`] (the nouns), [`decide`] (votes to effects), [`link`], [`code`] and [`nonce`]
//! (what a person must hold), [`facts`] (tying a message to its execution), [`sheet`] and [`words`] (text for people).

pub mod code;
pub mod decide;
pub mod facts;
pub mod http;
pub mod id;
pub mod key;
pub mod link;
pub mod nonce;
pub mod port;
pub mod request;
pub mod rules;
pub mod settings;
pub mod sheet;
pub mod stored;
pub mod words;
