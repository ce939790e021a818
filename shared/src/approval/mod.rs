//! Approvals: what is asked, who may answer, how votes become exactly one decision, and the signed link.
//!
//! Reading order: [`request`] (the nouns), [`decide`] (votes to effects), [`link`], [`code`], [`nonce`] and [`sign_in`]
//! (what a person must hold, by [`level`]), [`facts`] (tying a message to its execution), [`history`] (what came before it), [`made`] (what it made), [`sheet`] and [`words`] (text for people).

pub mod asker;
pub mod audit;
pub mod booth;
pub mod chat;
pub mod code;
pub mod decide;
pub mod facts;
pub mod history;
pub mod http;
pub mod id;
pub mod key;
pub mod level;
pub mod link;
pub mod made;
pub mod means;
pub mod newer;
pub mod nonce;
mod outcome;
pub mod port;
pub mod post;
pub mod renew;
pub mod request;
pub mod review;
pub mod rules;
pub mod session;
pub mod settings;
pub mod sheet;
pub mod sign_in;
mod snapshot;
pub mod stored;
pub mod sweep;
pub mod task_answer;
pub mod trail;
pub mod view;
pub mod words;
