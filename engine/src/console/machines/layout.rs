//! Where the states of a graph lie: in layers from top to bottom, each below all that leads to it. Pure.

use super::graph::{Graph, Way};

/// Width and height of a state without others inside.
const STATE: (f64, f64) = (196.0, 56.0);
/// Width that a line needs where it passes a layer.
const LINE: f64 = 14.0;
/// Between two neighbours, and between two layers.
const GAP: (f64, f64) = (28.0, 40.0);
/// Around what is inside a state, and the room of its heading.
const PAD: f64 = 14.0;
const HEAD: f64 = 54.0;
/// Between two lines back up.
const LANE: f64 = 14.0;
/// How often neighbours are ordered and moved towards what they belong to.
const ROUNDS: usize = 8;

/// A graph with places.
#[derive(Debug)]
pub struct Layout {
    pub width: f64,
    pub height: f64,
    /// As the graph's nodes.
    pub places: Vec<Place>,
    /// As the graph's ways.
    pub lines: Vec<Line>,
}

/// A state's box.
#[derive(Debug)]
pub struct Place {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    /// What is inside, with its corner relative to this box.
    pub inside: Vec<(f64, f64, Layout)>,
}

/// A way as a line: points from a state's edge to another's.
#[derive(Debug)]
pub struct Line {
    pub points: Vec<(f64, f64)>,
    /// Whether it leads back up, past the side of what lies between.
    pub back: bool,
}

/// A state, or a line that passes a layer.
struct Cell {
    node: Option<usize>,
    width: f64,
    height: f64,
    /// Its middle.
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

/// Lays a graph out.
pub fn lay_out(graph: &Graph) -> Layout {
    let mut places: Vec<Place> = graph.nodes.iter().map(|node| place(&node.inside)).collect();
    let back = back_ways(graph);
    let layer = layers(graph, &back);
    let (mut cells, mut rows, chains) = cells(graph, &places, &layer, &back);
    order(&cells, &mut rows);
    spread(&mut cells, &rows);

    let heights: Vec<f64> = rows
        .iter()
        .map(|row| row.iter().map(|c| cells[*c].height).fold(0.0, f64::max))
        .collect();
    let tops: Vec<f64> = heights
        .iter()
        .scan(0.0, |y, height| {
            let top = *y;
            *y += height + GAP.1;
            Some(top)
        })
        .collect();
    let left = cells
        .iter()
        .map(|c| c.x - c.width / 2.0)
        .fold(f64::INFINITY, f64::min);
    let left = if left.is_finite() { left } else { 0.0 };
    let mut width: f64 = 0.0;
    for (row, top) in rows.iter().zip(&tops) {
        for cell in row {
            let cell = &mut cells[*cell];
            cell.x -= left;
            width = width.max(cell.x + cell.width / 2.0);
            if let Some(node) = cell.node {
                places[node].x = cell.x - cell.width / 2.0;
                places[node].y = *top;
            }
        }
    }
    let height = tops.last().zip(heights.last()).map_or(0.0, |(t, h)| t + h);

    let mut lanes = 0.0;
    let lines = graph
        .ways
        .iter()
        .zip(&chains)
        .zip(&back)
        .map(|((way, chain), back)| {
            if *back {
                lanes += 1.0;
                return back_line(&places, way, width + LANE * lanes);
            }
            let mut points = vec![bottom(&places[way.from])];
            for (cell, row) in chain {
                let x = cells[*cell].x;
                points.push((x, tops[*row]));
                points.push((x, tops[*row] + heights[*row]));
            }
            points.push((
                places[way.to].x + places[way.to].width / 2.0,
                places[way.to].y,
            ));
            Line {
                points,
                back: false,
            }
        })
        .collect();
    Layout {
        width: if lanes > 0.0 {
            width + LANE * (lanes + 1.0)
        } else {
            width
        },
        height,
        places,
        lines,
    }
}

fn bottom(place: &Place) -> (f64, f64) {
    (place.x + place.width / 2.0, place.y + place.height)
}

/// Out of the right side, up the lane, in at the right side.
fn back_line(places: &[Place], way: &Way, lane: f64) -> Line {
    let (from, to) = (&places[way.from], &places[way.to]);
    let (out, into) = (
        from.y + from.height.min(HEAD) / 2.0,
        to.y + to.height.min(HEAD) / 2.0,
    );
    let points = vec![
        (from.x + from.width, out),
        (lane, out),
        (lane, into),
        (to.x + to.width, into),
    ];
    Line { points, back: true }
}

/// The size of a state's box, from what is inside.
fn place(inside: &[Graph]) -> Place {
    let mut place = Place {
        x: 0.0,
        y: 0.0,
        width: STATE.0,
        height: STATE.1,
        inside: Vec::new(),
    };
    let mut x = PAD;
    for graph in inside {
        let layout = lay_out(graph);
        let (width, height) = (layout.width, layout.height);
        place.height = place.height.max(HEAD + height + PAD);
        place.inside.push((x, HEAD, layout));
        x += width + PAD;
    }
    let spare = STATE.0 - x;
    if spare > 0.0 {
        for (at, _, _) in &mut place.inside {
            *at += spare / 2.0;
        }
    }
    place.width = place.width.max(x);
    place
}

/// Which ways lead back to a state that leads to them.
fn back_ways(graph: &Graph) -> Vec<bool> {
    let mut back = vec![false; graph.ways.len()];
    let mut seen = vec![0_u8; graph.nodes.len()];
    for start in 0..graph.nodes.len() {
        walk(graph, start, &mut seen, &mut back);
    }
    back
}

/// 1: on the way here, 2: left behind.
fn walk(graph: &Graph, node: usize, seen: &mut [u8], back: &mut [bool]) {
    if seen[node] != 0 {
        return;
    }
    seen[node] = 1;
    for (number, way) in graph.ways.iter().enumerate() {
        if way.from == node {
            if seen[way.to] == 1 {
                back[number] = true;
            } else {
                walk(graph, way.to, seen, back);
            }
        }
    }
    seen[node] = 2;
}

/// The layer of each state: one below the lowest that leads to it.
fn layers(graph: &Graph, back: &[bool]) -> Vec<usize> {
    let mut layer = vec![0; graph.nodes.len()];
    // Ways that do not lead back form no circle: as many rounds as there are states are enough.
    for _ in 0..graph.nodes.len() {
        let mut still = true;
        for (way, back) in graph.ways.iter().zip(back) {
            if !back && layer[way.to] <= layer[way.from] {
                layer[way.to] = layer[way.from] + 1;
                still = false;
            }
        }
        if still {
            break;
        }
    }
    layer
}

type Chains = Vec<Vec<(usize, usize)>>;

/// Cells by layer, and for each way the cells it passes.
fn cells(
    graph: &Graph,
    places: &[Place],
    layer: &[usize],
    back: &[bool],
) -> (Vec<Cell>, Vec<Vec<usize>>, Chains) {
    let count = layer.iter().max().map_or(0, |l| l + 1);
    let mut rows = vec![Vec::new(); count];
    let mut cells: Vec<Cell> = places
        .iter()
        .enumerate()
        .map(|(node, place)| cell(Some(node), place.width, place.height))
        .collect();
    for (node, layer) in layer.iter().enumerate() {
        rows[*layer].push(node);
    }
    let mut chains = Vec::new();
    for (way, back) in graph.ways.iter().zip(back) {
        let mut chain = Vec::new();
        if !back {
            let mut above = way.from;
            for (row, line) in rows
                .iter_mut()
                .enumerate()
                .take(layer[way.to])
                .skip(layer[way.from] + 1)
            {
                let number = cells.len();
                cells.push(cell(None, LINE, 0.0));
                line.push(number);
                chain.push((number, row));
                link(&mut cells, above, number);
                above = number;
            }
            link(&mut cells, above, way.to);
        }
        chains.push(chain);
    }
    (cells, rows, chains)
}

const fn cell(node: Option<usize>, width: f64, height: f64) -> Cell {
    Cell {
        node,
        width,
        height,
        x: 0.0,
        above: Vec::new(),
        below: Vec::new(),
    }
}

fn link(cells: &mut [Cell], above: usize, below: usize) {
    cells[above].below.push(below);
    cells[below].above.push(above);
}

/// Orders each layer by where its neighbours lie, so that fewer lines cross.
fn order(cells: &[Cell], rows: &mut [Vec<usize>]) {
    for round in 0..ROUNDS {
        let mut place = vec![0.0; cells.len()];
        for row in rows.iter() {
            number(&mut place, row);
        }
        let down = round % 2 == 0;
        let count = rows.len();
        for step in 0..count {
            let row = &mut rows[if down { step } else { count - 1 - step }];
            let wanted = |c: usize| {
                let near = if down {
                    &cells[c].above
                } else {
                    &cells[c].below
                };
                mean(near.iter().map(|n| place[*n])).unwrap_or(place[c])
            };
            let mut keyed: Vec<(f64, usize)> = row.iter().map(|c| (wanted(*c), *c)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            *row = keyed.into_iter().map(|(_, c)| c).collect();
            number(&mut place, row);
        }
    }
}

/// Places in a layer from 0 to 1, so that layers of different lengths compare.
#[expect(clippy::cast_precision_loss, reason = "a layer has few cells")]
fn number(place: &mut [f64], row: &[usize]) {
    for (at, cell) in row.iter().enumerate() {
        place[*cell] = (at as f64 + 0.5) / row.len() as f64;
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    (count > 0.0).then_some(sum / count)
}

/// Moves cells over and under what they belong to, as far as their neighbours let them.
fn spread(cells: &mut [Cell], rows: &[Vec<usize>]) {
    for row in rows {
        let wanted = vec![0.0; row.len()];
        settle(cells, row, &wanted);
    }
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        for step in 0..rows.len() {
            let row = &rows[if down { step } else { rows.len() - 1 - step }];
            let wanted: Vec<f64> = row
                .iter()
                .map(|c| {
                    let near = if down {
                        &cells[*c].above
                    } else {
                        &cells[*c].below
                    };
                    mean(near.iter().map(|n| cells[*n].x)).unwrap_or(cells[*c].x)
                })
                .collect();
            settle(cells, row, &wanted);
        }
    }
}

/// As near to what is wanted as the order and the gaps allow: the middle of packing from the left and from the right.
fn settle(cells: &mut [Cell], row: &[usize], wanted: &[f64]) {
    let apart = |a: &Cell, b: &Cell| f64::midpoint(a.width, b.width) + GAP.0;
    let mut left = wanted.to_vec();
    for at in 1..row.len() {
        left[at] = left[at].max(left[at - 1] + apart(&cells[row[at - 1]], &cells[row[at]]));
    }
    let mut right = wanted.to_vec();
    for at in (1..row.len()).rev() {
        right[at - 1] = right[at - 1].min(right[at] - apart(&cells[row[at - 1]], &cells[row[at]]));
    }
    for ((cell, left), right) in row.iter().zip(left).zip(right) {
        cells[*cell].x = f64::midpoint(left, right);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn overlap(layout: &Layout) -> bool {
        let apart = |a: &Place, b: &Place| {
            a.x + a.width <= b.x
                || b.x + b.width <= a.x
                || a.y + a.height <= b.y
                || b.y + b.height <= a.y
        };
        let places = &layout.places;
        let here = (0..places.len()).any(|a| (0..a).any(|b| !apart(&places[a], &places[b])));
        here || places
            .iter()
            .any(|p| p.inside.iter().any(|(_, _, l)| overlap(l)))
    }

    fn inside(layout: &Layout) -> bool {
        layout.places.iter().all(|p| {
            p.x >= -0.01
                && p.y >= -0.01
                && p.x + p.width <= layout.width + 0.01
                && p.y + p.height <= layout.height + 0.01
                && p.inside.iter().all(|(x, y, l)| {
                    x + l.width <= p.width && y + l.height <= p.height && inside(l)
                })
        })
    }

    #[test]
    fn no_state_covers_another_and_lines_lead_down_except_back() {
        let pass = |next: &str| json!({"Type": "Pass", "Next": next});
        let end = json!({"Type": "Pass", "End": true});
        let wide: serde_json::Map<String, Value> =
            (0..12).map(|n| (format!("s{n}"), pass("last"))).collect();
        let mut many = wide.clone();
        let choices: Vec<Value> = wide.keys().map(|n| json!({"Next": n})).collect();
        many.insert(
            "C".to_owned(),
            json!({"Type": "Choice", "Choices": choices, "Default": "last"}),
        );
        many.insert("last".to_owned(), end.clone());
        let one = json!({"StartAt": "x", "States": {"x": end}});
        for definition in [
            json!({"StartAt": "C", "States": many}),
            json!({"StartAt": "a", "States": {"a": pass("b"), "b": {"Type": "Choice", "Choices": [{"Next": "a"}], "Default": "c"}, "c": end}}),
            json!({"StartAt": "p", "States": {"p": {"Type": "Parallel", "Branches": [one, one, one], "Next": "m"},
                "m": {"Type": "Map", "ItemProcessor": one, "Catch": [{"Next": "p"}], "End": true}}}),
            json!({}),
        ] {
            let graph = Graph::of(&definition);
            let layout = lay_out(&graph);
            assert!(!overlap(&layout), "{definition}: {layout:?}");
            assert!(inside(&layout), "{definition}: {layout:?}");
            for (line, way) in layout.lines.iter().zip(&graph.ways) {
                let down = line.points.windows(2).all(|w| w[0].1 <= w[1].1 + 0.01);
                assert_eq!(down, !line.back, "{way:?}: {line:?}");
            }
        }
    }
}
