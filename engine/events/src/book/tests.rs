//! What may be done with rules, targets, buses and tags, and in which words the rest is refused.

use super::*;

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn home() -> Home {
    Home {
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
    }
}

fn rule(name: &str) -> Wanted {
    Wanted {
        name: name.to_owned(),
        pattern: Some(r#"{"source":["aws.codepipeline"]}"#.to_owned()),
        ..Wanted::default()
    }
}

fn target(id: &str, arn: &str) -> Target {
    Target {
        id: id.to_owned(),
        arn: arn.to_owned(),
        ..Target::default()
    }
}

fn book() -> Book {
    let mut book = Book::new();
    book.put_rule(DEFAULT_BUS, rule("r"), now()).unwrap();
    book.put_targets(DEFAULT_BUS, "r", vec![target("f", "f"), target("g", "g")])
        .unwrap();
    book
}

fn said(result: Result<(), Denied>) -> String {
    result.map_or_else(|denied| denied.to_string(), |()| "fine".to_owned())
}

#[test]
fn rules_are_refused_in_awss_words() {
    let mut book = book();
    let mut put = |bus: &str, wanted: Wanted| said(book.put_rule(bus, wanted, now()));
    assert_eq!(
        put(
            DEFAULT_BUS,
            Wanted {
                name: "x".into(),
                ..Wanted::default()
            }
        ),
        "ValidationException: Parameter(s) EventPattern or ScheduleExpression must be specified."
    );
    assert_eq!(
        put("mine", rule("x")),
        "ResourceNotFoundException: Event bus mine does not exist."
    );
    let scheduled = |text: &str| Wanted {
        schedule: Some(text.to_owned()),
        ..rule("x")
    };
    assert_eq!(put(DEFAULT_BUS, scheduled("rate(1 minute)")), "fine");
    assert_eq!(
        put(DEFAULT_BUS, scheduled("rate(1)")),
        "ValidationException: Parameter ScheduleExpression is not valid."
    );
    assert_eq!(put(DEFAULT_BUS, scheduled("cron(0 12 * * ? *)")), "fine");
    assert_eq!(
        put("mine", scheduled("rate(1 minute)")),
        "ValidationException: ScheduleExpression is supported only on the default event bus."
    );
    let broken = Wanted {
        pattern: Some("{}".to_owned()),
        ..rule("x")
    };
    assert!(
        put(DEFAULT_BUS, broken)
            .starts_with("InvalidEventPatternException: Event pattern is not valid. Reason: ")
    );
    for n in 2..RULES_PER_BUS {
        assert_eq!(put(DEFAULT_BUS, rule(&format!("n{n}"))), "fine");
    }
    assert_eq!(
        put(DEFAULT_BUS, rule("more")),
        "LimitExceededException: The requested resource exceeds the maximum number allowed."
    );
    assert_eq!(
        put(DEFAULT_BUS, rule("r")),
        "fine",
        "one that is there may change"
    );
}

#[test]
fn a_changed_rule_keeps_its_targets_and_tags() {
    let mut book = book();
    let tags = BTreeMap::from([("team".to_owned(), "web".to_owned())]);
    book.tag(&home(), &home().rule_arn(DEFAULT_BUS, "r"), tags.clone())
        .unwrap();
    let changed = Wanted {
        disabled: true,
        description: Some("new".into()),
        ..rule("r")
    };
    book.put_rule(DEFAULT_BUS, changed, now()).unwrap();
    let kept = book.rule(DEFAULT_BUS, "r").unwrap();
    assert_eq!(
        (kept.enabled, kept.targets.len(), &kept.tags),
        (false, 2, &tags)
    );
    assert!(
        book.routes(&home()).is_empty(),
        "a disabled rule wants nothing"
    );
    book.set_enabled(DEFAULT_BUS, "r", true, now()).unwrap();
    assert!(!book.routes(&home()).is_empty());
}

#[test]
fn targets_are_refused_in_awss_words() {
    let mut book = book();
    let mut put =
        |rule: &str, targets: Vec<Target>| said(book.put_targets(DEFAULT_BUS, rule, targets));
    for (targets, expected) in [
        (vec![target("f", "other")], "fine"),
        (
            vec![target("x", "a:b")],
            "ValidationException: Parameter a:b is not valid. Reason: Provided Arn is not in correct format.",
        ),
        (
            vec![target("x", "x"), target("x", "y")],
            "ValidationException: Target Ids must be unique within a request.",
        ),
        (
            vec![target("x", "arn:aws:sqs:eu-west-1:123456789012:q")],
            "NotBuilt: targets of sqs",
        ),
        (
            (0..4).map(|n| target(&format!("n{n}"), "n")).collect(),
            "LimitExceededException: The requested resource exceeds the maximum number allowed.",
        ),
        (
            vec![Target {
                input: Some("{".into()),
                ..target("x", "x")
            }],
            "ValidationException: JSON syntax error in input for target x",
        ),
    ] {
        assert_eq!(put("r", targets), expected);
    }
    assert_eq!(
        put("gone", vec![target("x", "x")]),
        "ResourceNotFoundException: Rule gone does not exist on EventBus default."
    );
    let rule = book.rule(DEFAULT_BUS, "r").unwrap();
    let arns: Vec<&str> = rule.targets.values().map(|t| t.arn.as_str()).collect();
    assert_eq!(arns, ["other", "g"], "a refused call changes nothing");
}

#[test]
fn rules_and_buses_go_when_nothing_hangs_on_them() {
    let mut book = book();
    assert_eq!(
        said(book.delete_rule(DEFAULT_BUS, "r")),
        "ValidationException: Rule can't be deleted since it has targets."
    );
    book.remove_targets(DEFAULT_BUS, "r", &["f".into(), "g".into(), "gone".into()])
        .unwrap();
    book.delete_rule(DEFAULT_BUS, "r").unwrap();
    book.delete_rule(DEFAULT_BUS, "r").unwrap();
    assert!(book.rule(DEFAULT_BUS, "r").is_err());

    book.create_bus("mine", None, BTreeMap::new(), now())
        .unwrap();
    assert_eq!(
        said(book.create_bus("mine", None, BTreeMap::new(), now())),
        "ResourceAlreadyExistsException: Event bus mine already exists."
    );
    book.put_rule("mine", rule("r"), now()).unwrap();
    assert_eq!(
        said(book.delete_bus("mine")),
        "ValidationException: Event bus can't be deleted since it has rules."
    );
    book.delete_rule("mine", "r").unwrap();
    book.delete_bus("mine").unwrap();
    assert_eq!(
        said(book.delete_bus(DEFAULT_BUS)),
        "ValidationException: Cannot delete event bus default."
    );
}

#[test]
fn events_go_to_the_rules_of_their_bus() {
    let mut book = book();
    book.create_bus("mine", None, BTreeMap::new(), now())
        .unwrap();
    book.put_rule("mine", rule("m"), now()).unwrap();
    book.put_targets("mine", "m", vec![target("t", "t")])
        .unwrap();
    let routes = book.routes(&home());
    let event = serde_json::json!({"source": "aws.codepipeline"});
    let arns = |bus: &str| -> Vec<String> {
        let wanted = routes.wanted(bus, &event);
        wanted
            .into_iter()
            .map(|d| format!("{} {}", d.rule_arn, d.target.arn))
            .collect()
    };
    let prefix = "arn:aws:events:eu-west-1:123456789012:rule";
    assert_eq!(
        arns(DEFAULT_BUS),
        [format!("{prefix}/r f"), format!("{prefix}/r g")]
    );
    assert_eq!(arns("mine"), [format!("{prefix}/mine/m t")]);
    assert!(arns("gone").is_empty());
    assert!(
        routes
            .wanted(DEFAULT_BUS, &serde_json::json!({"source": "other"}))
            .is_empty()
    );
}

#[test]
fn tags_belong_to_arns() {
    let mut book = book();
    book.create_bus("mine", None, BTreeMap::new(), now())
        .unwrap();
    let tags = BTreeMap::from([
        ("a".to_owned(), "1".to_owned()),
        ("b".to_owned(), "2".to_owned()),
    ]);
    for arn in [home().bus_arn("mine"), home().rule_arn(DEFAULT_BUS, "r")] {
        book.tag(&home(), &arn, tags.clone()).unwrap();
        book.untag(&home(), &arn, &["a".to_owned()]).unwrap();
        assert_eq!(
            book.tags(&home(), &arn).unwrap().keys().collect::<Vec<_>>(),
            ["b"],
            "{arn}"
        );
    }
    for arn in [
        "arn:aws:events:eu-west-1:1:rule/r",
        "arn:x",
        &home().rule_arn(DEFAULT_BUS, "gone"),
    ] {
        assert_eq!(
            book.tags(&home(), arn).unwrap_err().code,
            "ResourceNotFoundException",
            "{arn}"
        );
    }
    let many = (0..TAGS).map(|n| (n.to_string(), String::new())).collect();
    assert!(book.tag(&home(), &home().bus_arn("mine"), many).is_err());
}
