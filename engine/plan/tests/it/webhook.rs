//! Webhooks (`codepipeline.md` 2.2 and 8.4): what they ask of their pipeline, and what a delivery does.

use std::collections::BTreeMap;

use engine_plan::{
    event::{Event, Resource},
    limit,
    step::Answer,
    webhook::{Authentication, WebhookDefinition, WebhookError, WebhookFilter},
};

use crate::harness::{Desk, declared, pipeline};

fn desk() -> Desk {
    Desk::with(declared(pipeline(&[("Source", &["s"]), ("Build", &["b"])])))
}

fn hook(name: &str) -> WebhookDefinition {
    WebhookDefinition {
        name: name.to_owned(),
        target_pipeline: "p".to_owned(),
        target_action: "s".to_owned(),
        filters: vec![WebhookFilter {
            json_path: "$.ref".to_owned(),
            match_equals: Some("refs/heads/{S3Bucket}".to_owned()),
        }],
        authentication: Authentication::GithubHmac {
            secret_token: "PLANTED".to_owned().into(),
        },
    }
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    pairs.iter().map(own).collect()
}

fn put(webhook: WebhookDefinition) -> Event {
    Event::PutWebhook {
        webhook,
        tags: BTreeMap::new(),
    }
}

fn delete(name: &str) -> Event {
    Event::DeleteWebhook {
        name: name.to_owned(),
    }
}

fn delivered(desk: &Desk, name: &str) -> Event {
    Event::WebhookDelivered {
        webhook: name.to_owned(),
        key: desk.state.webhooks[name].key.clone(),
    }
}

#[test]
fn s8_4_a_delivery_starts_the_pipeline() {
    let mut desk = desk();
    desk.tell(put(hook("push")));
    assert!(!format!("{:?}", desk.state.webhooks).contains("PLANTED"));
    desk.tell(Event::WebhookNoted {
        webhook: "push".to_owned(),
        error: Some(WebhookError {
            code: "501".to_owned(),
            message: "by hand".to_owned(),
        }),
    });
    let event = delivered(&desk, "push");
    let Answer::Execution(id) = desk.tell(event.clone()) else {
        panic!("an execution");
    };
    let trigger = &desk.state.pipelines["p"].execution(&id).unwrap().trigger;
    assert_eq!(trigger.trigger_type, "Webhook");
    assert_eq!(
        trigger.trigger_detail,
        "arn:aws:codepipeline:us-east-1:123456789012:webhook:push"
    );
    let kept = &desk.state.webhooks["push"];
    assert_eq!((kept.last_triggered, &kept.error), (Some(desk.now), &None));
    // changed in place it keeps its URL, made anew it does not
    let key = kept.key.clone();
    desk.tell(put(WebhookDefinition {
        authentication: Authentication::Unauthenticated,
        ..hook("push")
    }));
    assert_eq!(desk.state.webhooks["push"].key, key);
    desk.tell(delete("push"));
    desk.tell(delete("push"));
    assert!(desk.refused(event.clone()).starts_with("WebhookNotFound"));
    desk.tell(put(hook("push")));
    assert_ne!(desk.state.webhooks["push"].key, key);
    assert!(desk.refused(event).starts_with("WebhookNotFound"));
    // its pipeline may go away
    desk.tell(Event::DeletePipeline {
        name: "p".to_owned(),
    });
    let event = delivered(&desk, "push");
    assert!(desk.refused(event).starts_with("PipelineNotFound"));
    assert!(desk.replayed() == desk.state);
}

#[test]
fn s2_2_put_webhook_is_checked() {
    let mut desk = desk();
    type Change = fn(&mut WebhookDefinition);
    let cases: [(Change, &str); 5] = [
        (
            |it| it.target_pipeline = "q".to_owned(),
            "PipelineNotFoundException: Account '123456789012' does not have a pipeline with name 'q'",
        ),
        (
            |it| it.target_action = "x".to_owned(),
            "ValidationException",
        ),
        // no source action
        (
            |it| it.target_action = "b".to_owned(),
            "ValidationException",
        ),
        (
            |it| it.filters[0].match_equals = Some("{Branch}".to_owned()),
            "InvalidWebhookFilterPatternException: Invalid matchEquals value '{Branch}': the target action has no configuration key 'Branch'",
        ),
        (|it| it.filters.clear(), ""),
    ];
    for (change, expected) in cases {
        let mut webhook = hook("w");
        change(&mut webhook);
        match expected {
            "" => drop(desk.tell(put(webhook))),
            _ => {
                let refusal = desk.refused(put(webhook));
                assert!(refusal.starts_with(expected), "{refusal}");
            }
        }
    }
    for n in 1..limit::WEBHOOKS {
        desk.tell(put(hook(&format!("w{n}"))));
    }
    assert!(desk.refused(put(hook("more"))).starts_with("LimitExceeded"));
    // a change is none more
    desk.tell(put(hook("w1")));
    let noted = Event::WebhookNoted {
        webhook: "none".to_owned(),
        error: None,
    };
    assert!(desk.refused(noted).starts_with("WebhookNotFoundException"));
}

#[test]
fn s2_2_webhooks_carry_tags() {
    let mut desk = desk();
    let with = |given| Event::PutWebhook {
        webhook: hook("w"),
        tags: given,
    };
    let many: BTreeMap<_, _> = (0..=limit::TAGS)
        .map(|n| (n.to_string(), String::new()))
        .collect();
    assert!(desk.refused(with(many.clone())).starts_with("TooManyTags"));
    let system = tags(&[("aws:x", "1")]);
    assert!(desk.refused(with(system)).starts_with("InvalidTags"));
    desk.tell(with(tags(&[("a", "1")])));
    desk.tell(with(tags(&[("b", "2")])));
    let resource = Resource::Webhook {
        name: "w".to_owned(),
    };
    let more = Event::TagResource {
        resource: resource.clone(),
        tags: many,
    };
    assert!(desk.refused(more).starts_with("TooManyTags"));
    desk.tell(Event::UntagResource {
        resource: resource.clone(),
        keys: vec!["a".to_owned()],
    });
    assert_eq!(desk.state.tags(&resource), Some(&tags(&[("b", "2")])));
    let gone = Event::TagResource {
        resource: Resource::ActionType {
            name: "Custom/Test/Worker/1".to_owned(),
        },
        tags: BTreeMap::new(),
    };
    assert!(desk.refused(gone).starts_with("ResourceNotFoundException"));
}
