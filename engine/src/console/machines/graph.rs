//! A definition as states and the ways between them. Pure.

use serde_json::{Map, Value};

/// States that lead to each other: a machine, a branch, an item processor.
#[derive(Debug, Default)]
pub struct Graph {
    /// The states, the first one at the start.
    pub nodes: Vec<Node>,
    /// Ways from one state to another, by their places in `nodes`.
    pub ways: Vec<Way>,
}

/// One state.
#[derive(Debug)]
pub struct Node {
    /// Its name, which is the only one in its machine.
    pub name: String,
    /// `Task`, `Choice`, …
    pub kind: String,
    /// What it calls, in a word or two; empty for other states.
    pub calls: String,
    /// Whether nothing follows.
    pub last: bool,
    /// Branches of a Parallel, the processor of a Map.
    pub inside: Vec<Graph>,
}

/// A way from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// From this node.
    pub from: usize,
    /// To this one.
    pub to: usize,
    /// Whether it is taken on an error.
    pub caught: bool,
}

impl Graph {
    /// Of a definition that was checked: what is missing is left out.
    pub fn of(definition: &Value) -> Self {
        let empty = Map::new();
        let states = definition["States"].as_object().unwrap_or(&empty);
        let mut names: Vec<&str> = states.keys().map(String::as_str).collect();
        let start = definition["StartAt"].as_str().unwrap_or_default();
        names.sort_by_key(|name| *name != start);
        let place = |name: &Value| {
            let name = name.as_str()?;
            names.iter().position(|n| *n == name)
        };
        let mut graph = Self::default();
        for (from, name) in names.iter().enumerate() {
            let state = &states[*name];
            let mut way = |to: Option<usize>, caught| {
                let way = to.map(|to| Way { from, to, caught });
                // Several choices may lead to the same state: one line is enough.
                if let Some(way) = way.filter(|w| !graph.ways.contains(w)) {
                    graph.ways.push(way);
                }
            };
            way(place(&state["Next"]), false);
            for choice in list(&state["Choices"]) {
                way(place(&choice["Next"]), false);
            }
            way(place(&state["Default"]), false);
            for catcher in list(&state["Catch"]) {
                way(place(&catcher["Next"]), true);
            }
            graph.nodes.push(node(name, state));
        }
        graph
    }

    /// All states, those inside others after these.
    pub fn all(&self) -> Vec<&Node> {
        let inside = |node: &'_ Node| -> usize { node.inside.len() };
        let mut found = Vec::new();
        for node in &self.nodes {
            found.push(node);
            if inside(node) > 0 {
                found.extend(node.inside.iter().flat_map(Self::all));
            }
        }
        found
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn node(name: &str, state: &Value) -> Node {
    let kind = state["Type"].as_str().unwrap_or_default().to_owned();
    let processor = [&state["ItemProcessor"], &state["Iterator"]]
        .into_iter()
        .find(|p| p.is_object());
    let inside = match kind.as_str() {
        "Parallel" => list(&state["Branches"]).map(Graph::of).collect(),
        "Map" => processor.map(Graph::of).into_iter().collect(),
        _ => Vec::new(),
    };
    Node {
        name: name.to_owned(),
        calls: calls(state["Resource"].as_str().unwrap_or_default()),
        last: state["End"] == true || ["Succeed", "Fail"].contains(&kind.as_str()),
        inside,
        kind,
    }
}

/// `lambda:invoke`, `activity approve`, `function mover`, …
fn calls(resource: &str) -> String {
    if let Some((_, name)) = resource.split_once(":activity:") {
        return format!("activity {name}");
    }
    if let Some((_, name)) = resource.split_once(":function:") {
        return format!("function {name}");
    }
    let service = resource
        .split_once(":states:::")
        .map_or(resource, |(_, s)| s);
    service.trim_start_matches("aws-sdk:").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_are_found_with_the_ways_between_them_and_inside_each_other() {
        let definition = json!({"StartAt": "B", "States": {
            "A": {"Type": "Succeed"},
            "B": {"Type": "Choice", "Choices": [{"Next": "C"}, {"Next": "C"}], "Default": "A"},
            "C": {"Type": "Map", "Next": "A", "Catch": [{"Next": "A"}],
                "ItemProcessor": {"StartAt": "D", "States": {"D": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject", "End": true}}}}}});
        let graph = Graph::of(&definition);
        let names: Vec<&str> = graph.all().iter().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["B", "A", "C", "D"]);
        let ways: Vec<_> = graph
            .ways
            .iter()
            .map(|w| (w.from, w.to, w.caught))
            .collect();
        assert_eq!(
            ways,
            [(0, 2, false), (0, 1, false), (2, 1, false), (2, 1, true)]
        );
        assert_eq!(graph.nodes[2].inside[0].nodes[0].calls, "s3:getObject");
        assert!(graph.nodes[1].last && !graph.nodes[2].last);
    }

    #[test]
    fn resources_are_told_in_a_word_or_two() {
        for (arn, told) in [
            (
                "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "lambda:invoke.waitForTaskToken",
            ),
            (
                "arn:aws:states:eu-west-1:1:activity:approve",
                "activity approve",
            ),
            (
                "arn:aws:lambda:eu-west-1:1:function:mover",
                "function mover",
            ),
            ("", ""),
        ] {
            assert_eq!(calls(arn), told);
        }
    }
}
