//! The picture of a machine: its states as they stand, in SVG that the style sheet colours. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    graph::{Graph, Node},
    layout::{Layout, Line, Place, lay_out},
    seen::Seen,
};
use crate::face::call::escape;

/// Letters of a name and of the line under it that fit a box.
const NAME: usize = 20;
const UNDER: usize = 23;
/// Around the whole picture, and the room of the mark where it starts.
const MARGIN: f64 = 8.0;
const START: f64 = 34.0;
/// How round a line's bend is.
const BEND: f64 = 10.0;

/// What a drawing needs of an execution.
pub struct Run<'a> {
    pub seen: &'a BTreeMap<String, Seen>,
    /// How the execution ended.
    pub over: Option<&'a str>,
}

/// The whole picture.
pub fn draw(graph: &Graph, run: &Run<'_>, label: &str) -> String {
    let layout = lay_out(graph);
    let (width, height) = (
        layout.width + 2.0 * MARGIN,
        layout.height + START + 2.0 * MARGIN,
    );
    let mut out = format!(
        "<svg class=\"machine\" role=\"img\" aria-label=\"{}\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" xmlns=\"http://www.w3.org/2000/svg\">",
        escape(label)
    );
    if let Some(first) = layout.places.first() {
        let x = MARGIN + first.x + first.width / 2.0;
        let _ = write!(
            out,
            "<g class=\"way taken\"><circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"6\"/><path d=\"M{x:.1} {:.1}V{:.1}\"/>{}</g>",
            MARGIN + 6.0,
            MARGIN + 12.0,
            MARGIN + START - 6.0,
            head((x, MARGIN + START), (0.0, 1.0)),
        );
    }
    flow(&mut out, graph, &layout, (MARGIN, MARGIN + START), run);
    out.push_str("</svg>");
    out
}

fn flow(out: &mut String, graph: &Graph, layout: &Layout, (x, y): (f64, f64), run: &Run<'_>) {
    let entered = |node: usize| {
        run.seen
            .get(&graph.nodes[node].name)
            .is_some_and(|s| s.entered > 0)
    };
    for (way, line) in graph.ways.iter().zip(&layout.lines) {
        let from = run.seen.get(&graph.nodes[way.from].name);
        // Which of several ways was taken the history does not say for loops: both ends seen is as near as it gets.
        let taken = entered(way.to)
            && from.is_some_and(|s| {
                if way.caught {
                    s.caught > 0
                } else {
                    s.left > s.caught
                }
            });
        let class = match (way.caught, taken) {
            (false, false) => "way",
            (false, true) => "way taken",
            (true, false) => "way error",
            (true, true) => "way error taken",
        };
        let _ = write!(out, "<g class=\"{class}\">{}</g>", path(line, (x, y)));
    }
    for (node, place) in graph.nodes.iter().zip(&layout.places) {
        state(out, node, place, (x, y), run);
    }
}

/// A line with its head: curves between layers, right angles on the way back.
fn path(line: &Line, (x, y): (f64, f64)) -> String {
    let points: Vec<(f64, f64)> = line.points.iter().map(|p| (p.0 + x, p.1 + y)).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let mut d = format!("M{:.1} {:.1}", first.0, first.1);
    if line.back {
        let [_, out, up, into] = points.as_slice() else {
            return String::new();
        };
        let (lane, low, high) = (out.0, out.1, up.1);
        let _ = write!(
            d,
            "H{:.1}Q{lane:.1} {low:.1} {lane:.1} {:.1}V{:.1}Q{lane:.1} {high:.1} {:.1} {high:.1}H{:.1}",
            lane - BEND,
            low - BEND,
            high + BEND,
            lane - BEND,
            into.0 + 6.0,
        );
        return format!("<path d=\"{d}\"/>{}", head(*into, (-1.0, 0.0)));
    }
    for pair in points.windows(2) {
        let [from, to] = pair else { continue };
        let end = if to == last { to.1 - 6.0 } else { to.1 };
        if (from.0 - to.0).abs() < 0.5 {
            let _ = write!(d, "V{end:.1}");
        } else {
            let middle = f64::midpoint(from.1, end);
            let _ = write!(
                d,
                "C{:.1} {middle:.1} {1:.1} {middle:.1} {1:.1} {end:.1}",
                from.0, to.0
            );
        }
    }
    format!("<path d=\"{d}\"/>{}", head(*last, (0.0, 1.0)))
}

/// An arrow's head that ends here.
fn head((x, y): (f64, f64), (dx, dy): (f64, f64)) -> String {
    let (back, side) = (8.0, 4.5);
    let (bx, by) = (x - dx * back, y - dy * back);
    format!(
        "<path class=\"tip\" d=\"M{x:.1} {y:.1}L{:.1} {:.1}L{:.1} {:.1}Z\"/>",
        bx - dy * side,
        by + dx * side,
        bx + dy * side,
        by - dx * side
    )
}

fn state(out: &mut String, node: &Node, place: &Place, (x, y): (f64, f64), run: &Run<'_>) {
    let none = Seen::default();
    let seen = run.seen.get(&node.name).unwrap_or(&none);
    let (look, word) = seen.look(&node.kind, run.over);
    let (x, y) = (x + place.x, y + place.y);
    let nest = if place.inside.is_empty() { "" } else { " nest" };
    let _ = write!(
        out,
        "<g class=\"state {}{nest}{}\"><title>{}: {}, {word}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>",
        look.class(),
        if node.last { " last" } else { "" },
        escape(&node.name),
        escape(&node.kind),
        place.width,
        place.height,
    );
    let middle = y + 22.0;
    let sign = if word == "Caught an error" {
        "!"
    } else {
        look.sign()
    };
    let _ = write!(
        out,
        "<circle class=\"dot\" cx=\"{0:.1}\" cy=\"{middle:.1}\" r=\"9\"/><text class=\"in\" x=\"{0:.1}\" y=\"{1:.1}\">{sign}</text>",
        x + 20.0,
        middle + 4.0,
    );
    let under = if node.calls.is_empty() {
        &node.kind
    } else {
        &node.calls
    };
    let times = seen.times();
    let room = UNDER.saturating_sub(times.chars().count() + usize::from(!times.is_empty()) * 2);
    let _ = write!(
        out,
        "<text class=\"of\" x=\"{0:.1}\" y=\"{1:.1}\">{2}</text><text x=\"{0:.1}\" y=\"{3:.1}\">{4}</text>",
        x + 36.0,
        y + 24.0,
        escape(&cut(&node.name, NAME)),
        y + 42.0,
        escape(&cut(under, room)),
    );
    if !times.is_empty() {
        let _ = write!(
            out,
            "<text class=\"times\" x=\"{:.1}\" y=\"{:.1}\">{times}</text>",
            x + place.width - 12.0,
            y + 42.0
        );
    }
    out.push_str("</g>");
    for ((dx, dy, layout), graph) in place.inside.iter().zip(&node.inside) {
        flow(out, graph, layout, (x + dx, y + dy), run);
    }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}
