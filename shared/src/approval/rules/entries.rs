//! The entries that rules name, checked: people, absences, groups, calendars, freezes.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use jiff::{
    civil::{Time, Weekday},
    tz::TimeZone,
};

use super::{
    Absence, Person, PersonId,
    check::{Checked, RulesError, error, keep, unknown},
    gate::{self, Gate, Source},
    hours::{Freeze, Hours, Slot},
    normal, wire,
};
use crate::{
    approval::{
        chat::{SlackUser, room::SlackChannel},
        settings::Address,
    },
    secret::SecretRef,
};

pub(super) fn people(
    file: &wire::File,
    faults: &mut Vec<RulesError>,
) -> BTreeMap<PersonId, Person> {
    let mut known = BTreeMap::new();
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    let mut chats: BTreeMap<SlackUser, &str> = BTreeMap::new();
    for (id, wire) in &file.people {
        if let Some(person) = keep(person(file, id, wire, &mut taken, &mut chats), faults) {
            known.insert(PersonId(id.clone()), person);
        }
    }
    known
}

fn person<'a>(
    file: &wire::File,
    id: &'a str,
    wire: &wire::Person,
    taken: &mut BTreeMap<String, &'a str>,
    chats: &mut BTreeMap<SlackUser, &'a str>,
) -> Checked<Person> {
    let here = format!("people.{id}");
    let fits = |c: char| !c.is_whitespace() && !c.is_control();
    if id.is_empty() || id.len() > 254 || !id.chars().all(fits) {
        return Err(error(
            here,
            "a short name has 1 to 254 characters, no spaces",
        ));
    }
    let mail = parsed::<Address>(&here, "mail", wire.mail.as_deref())?;
    let slack = parsed::<SlackUser>(&here, "slack", wire.slack.as_deref())?;
    if let Some(user) = &slack
        && let Some(other) = chats.insert(user.clone(), id)
    {
        let problem = format!("{other} has this id already: an answer would count for either");
        return Err(error(format!("{here}.slack"), problem));
    }
    let teams = parsed::<SecretRef>(&here, "teams", wire.teams.as_deref())?;
    let mut names = BTreeSet::from([normal(id)]);
    names.extend(mail.iter().map(|m| m.person()));
    for alias in &wire.aliases {
        if alias.trim().is_empty() {
            let problem = "an alias is empty: leave it out";
            return Err(error(format!("{here}.aliases"), problem));
        }
        names.insert(normal(alias));
    }
    for name in &names {
        if let Some(other) = taken.insert(name.clone(), id) {
            let problem = format!(
                "{name:?} stands for {other} already: one person is written once, with all aliases"
            );
            return Err(error(here, problem));
        }
    }
    Ok(Person {
        name: wire.name.clone().unwrap_or_else(|| id.to_owned()),
        mail,
        slack,
        teams,
        names,
        away: absences(file, id, wire)?,
    })
}

fn parsed<V: FromStr<Err: ToString>>(
    here: &str,
    name: &str,
    text: Option<&str>,
) -> Checked<Option<V>> {
    let read = text.map(str::parse).transpose();
    read.map_err(|problem: V::Err| error(format!("{here}.{name}"), problem.to_string()))
}

fn absences(file: &wire::File, id: &str, wire: &wire::Person) -> Checked<Vec<Absence>> {
    let here = format!("people.{id}");
    let known = |p: &PersonId| file.people.contains_key(p.as_str());
    let may = persons(
        &format!("{here}.mayDelegateTo"),
        &wire.may_delegate_to,
        known,
    )?;
    let mut absences: Vec<Absence> = Vec::new();
    for (at, away) in wire.away.iter().enumerate() {
        let here = format!("{here}.away[{at}]");
        if away.from >= away.until {
            return Err(error(
                here,
                "it ends before it begins: exchange from and until",
            ));
        }
        if absences
            .iter()
            .any(|a| a.from < away.until && away.from < a.until)
        {
            return Err(error(here, "it overlaps an earlier absence: join them"));
        }
        let here = format!("{here}.delegate");
        let delegate = away.delegate.clone().map(PersonId);
        if let Some(to) = &delegate {
            if to.as_str() == id {
                return Err(error(here, "nobody stands in for themselves"));
            }
            if !may.contains(to) {
                let problem = format!(
                    "{id} may not delegate to {to}: add {to} to mayDelegateTo, or name another"
                );
                return Err(error(here, problem));
            }
            let chained = file.people.get(to.as_str()).is_some_and(|p| {
                p.away
                    .iter()
                    .any(|a| a.from < away.until && away.from < a.until)
            });
            if chained {
                let problem = format!(
                    "{to} is away at the same time, and a delegation is not passed on: name somebody who is there"
                );
                return Err(error(here, problem));
            }
        }
        absences.push(Absence {
            from: away.from,
            until: away.until,
            delegate,
        });
    }
    Ok(absences)
}

pub(super) fn groups<'a>(
    file: &'a wire::File,
    faults: &mut Vec<RulesError>,
) -> BTreeMap<&'a str, BTreeSet<PersonId>> {
    let mut groups = BTreeMap::new();
    let known = |id: &PersonId| file.people.contains_key(id.as_str());
    for (name, members) in &file.groups {
        let here = format!("groups.{name}");
        let Some(members) = keep(persons(&here, members, known), faults) else {
            continue;
        };
        if name.trim().is_empty() || members.is_empty() {
            faults.push(error(here, "a group has a name and at least one person"));
        }
        groups.insert(name.as_str(), members);
    }
    groups
}

pub(super) fn channels(
    file: &wire::File,
    faults: &mut Vec<RulesError>,
) -> BTreeMap<String, SlackChannel> {
    let mut channels = BTreeMap::new();
    for (group, wire) in &file.channels {
        if !file.groups.contains_key(group) {
            let all = file.groups.keys().map(String::as_str);
            faults.push(unknown("channels", "group", group, all));
            continue;
        }
        let here = format!("channels.{group}");
        if let Some(Some(channel)) = keep(parsed(&here, "slack", Some(&wire.slack)), faults) {
            channels.insert(group.clone(), channel);
        }
    }
    channels
}

pub(super) fn persons(
    here: &str,
    names: &[String],
    known: impl Fn(&PersonId) -> bool,
) -> Checked<BTreeSet<PersonId>> {
    let mut persons = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        let id = PersonId(name.clone());
        if !known(&id) {
            let problem = format!("{name:?} is not in people: add them, or correct the name");
            return Err(error(format!("{here}[{at}]"), problem));
        }
        if !persons.insert(id) {
            let problem = format!("{name} is named twice; one person counts once");
            return Err(error(format!("{here}[{at}]"), problem));
        }
    }
    Ok(persons)
}

pub(super) fn hours(name: &str, wire: &wire::Calendar) -> Checked<Hours> {
    let here = format!("calendars.{name}");
    let zone = TimeZone::get(&wire.time_zone).map_err(|_| {
        let problem = format!(
            "{:?} is not a time zone: write an IANA name such as Europe/Berlin",
            wire.time_zone
        );
        error(format!("{here}.timeZone"), problem)
    })?;
    let mut slots = Vec::new();
    for (at, slot) in wire.hours.iter().enumerate() {
        let here = format!("{here}.hours[{at}]");
        let from = time(&format!("{here}.from"), &slot.from)?;
        let until = match slot.until.as_str() {
            "24:00" => None,
            text => Some(time(&format!("{here}.until"), text)?),
        };
        if until.is_some_and(|until| until <= from) || slot.days.is_empty() {
            let problem = "it never opens: name days, and an until after from (24:00 is the latest; a night is two entries)";
            return Err(error(here, problem));
        }
        slots.extend(slot.days.iter().map(|day| Slot {
            day: weekday(*day),
            from,
            until,
        }));
    }
    if slots.is_empty() {
        return Err(error(
            here,
            "it never opens: write at least one entry in hours",
        ));
    }
    Ok(Hours {
        name: name.to_owned(),
        zone_name: wire.time_zone.clone(),
        zone,
        slots,
        holidays: wire.holidays.clone(),
    })
}

fn time(here: &str, text: &str) -> Checked<Time> {
    let wrong = || error(here, format!("{text:?} is not a time of day: write 09:00"));
    if text.len() != 5 {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

const fn weekday(day: wire::Day) -> Weekday {
    match day {
        wire::Day::Mon => Weekday::Monday,
        wire::Day::Tue => Weekday::Tuesday,
        wire::Day::Wed => Weekday::Wednesday,
        wire::Day::Thu => Weekday::Thursday,
        wire::Day::Fri => Weekday::Friday,
        wire::Day::Sat => Weekday::Saturday,
        wire::Day::Sun => Weekday::Sunday,
    }
}

pub(super) fn freeze(name: &str, wire: &wire::Freeze) -> Checked<Freeze> {
    if wire.from >= wire.until {
        let problem = "it ends before it begins: exchange from and until";
        return Err(error(format!("freezes.{name}"), problem));
    }
    Ok(Freeze {
        name: name.to_owned(),
        from: wire.from,
        until: wire.until,
    })
}

pub(super) fn gate(name: &str, wire: &wire::Gate) -> Checked<Gate> {
    let here = format!("gates.{name}");
    let filled = |text: &str| !text.trim().is_empty();
    let source = match (&wire.url, &wire.function, &wire.alarm) {
        (Some(url), None, None) if gate::is_address(url) => Source::Page(url.clone()),
        (Some(_), None, None) => {
            let problem = "it is no https address without user and fragment: write https://…";
            return Err(error(format!("{here}.url"), problem));
        }
        (None, Some(function), None) if filled(function) => Source::Function(function.clone()),
        (None, None, Some(alarm)) if filled(alarm) => Source::Alarm(alarm.clone()),
        _ => return Err(error(here, "write exactly one of url, function and alarm")),
    };
    if name.trim().is_empty() || name.len() > 100 {
        return Err(error(
            here,
            "a name has 1 to 100 characters; approvers read it",
        ));
    }
    Ok(Gate {
        name: name.to_owned(),
        source,
    })
}

pub(super) fn named<V: Clone>(
    here: &str,
    what: &str,
    names: &[String],
    all: &BTreeMap<&str, V>,
) -> Checked<Vec<V>> {
    let find = |name: &String| match all.get(name.as_str()) {
        Some(value) => Ok(value.clone()),
        None => Err(unknown(here, what, name, all.keys().copied())),
    };
    names.iter().map(find).collect()
}

pub(super) fn kept<V: Clone>(
    all: &BTreeMap<String, V>,
    keep: impl Fn(&String) -> bool,
) -> BTreeMap<String, V> {
    let pairs = all.iter().filter(|(name, _)| keep(name));
    pairs.map(|(k, v)| (k.clone(), v.clone())).collect()
}
