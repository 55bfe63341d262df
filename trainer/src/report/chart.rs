//! A chart as SVG: it scales, it prints, and its colours follow the page's light or dark.

use std::fmt::Write;

use super::curves::Curve;
use super::page::escape;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 260.0;
// The plot's edges; outside of them are the axes' words.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 508.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 228.0;
/// Most points of a curve; more would be on the same pixels.
const MOST_POINTS: usize = 400;
/// Curves that can still be told apart.
pub const MOST_CURVES: usize = 8;

/// A chart with its legend, with at most [`MOST_CURVES`]; `crowd` are thin lines without names behind
/// them.
#[must_use]
pub fn chart(title: &str, curves: &[Curve], crowd: &[Curve]) -> String {
    let all = || crowd.iter().chain(curves);
    let points = || all().flat_map(|curve| &curve.points);
    let finite = || points().filter(|(_, y)| y.is_finite());
    let span = |values: &mut dyn Iterator<Item = f64>| {
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], x| {
            [low.min(x), high.max(x)]
        })
    };
    let [first, last] = span(&mut points().map(|(x, _)| *x as f64));
    let (ticks, [low, high]) = ticks(span(&mut finite().map(|(_, y)| *y)));
    let place = |x: f64, y: f64| {
        let right = (x - first) / (last - first).max(1.0);
        let up = (y - low) / (high - low);
        (LEFT + right * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP))
    };
    let mut svg = format!(
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{}\">",
        escape(title),
        escape(&description(title, curves)),
    );
    for tick in ticks {
        let (_, y) = place(first, tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            number(tick)
        );
    }
    for (x, anchor) in [
        (first, "start"),
        ((first + last) / 2.0, "middle"),
        (last, "end"),
    ] {
        let (at, _) = place(x, low);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            BOTTOM + 18.0,
            x.round()
        );
    }
    for (index, curve) in all().enumerate() {
        let class = match index.checked_sub(crowd.len()) {
            None => "curve crowd".to_owned(),
            Some(index) => format!("curve c{index}"),
        };
        let thinned = thinned(&curve.points);
        let line: Vec<String> = thinned
            .iter()
            .map(|(x, y)| place(*x, *y))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = write!(
            svg,
            "<polyline class=\"{class}\" points=\"{}\"/>",
            line.join(" ")
        );
    }
    svg += "</svg>";
    svg += "<ul class=\"legend\">";
    for (index, curve) in curves.iter().enumerate() {
        let Some((_, value)) = curve.points.last() else {
            continue;
        };
        let _ = write!(
            svg,
            "<li><svg class=\"key\" viewBox=\"0 0 28 8\" aria-hidden=\"true\"><polyline \
             class=\"curve c{index}\" points=\"1,4 27,4\"/></svg>{} <b>{}</b></li>",
            escape(&curve.name),
            number(*value)
        );
    }
    if !crowd.is_empty() {
        let _ = write!(svg, "<li>of {} thin ones</li>", crowd.len());
    }
    svg + "</ul></figure>"
}

/// For those who do not see it.
fn description(title: &str, curves: &[Curve]) -> String {
    let mut text = format!("{title} over steps");
    for curve in curves {
        if let [(from, first), .., (to, last)] = curve.points[..] {
            let _ = write!(
                text,
                "; {} from {} at step {from} to {} at step {to}",
                curve.name,
                number(first),
                number(last)
            );
        }
    }
    text
}

/// Means of neighbours where there are more points than the chart can show.
fn thinned(points: &[(u64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<(f64, f64)> = points
        .iter()
        .map(|(x, y)| (*x as f64, *y))
        .filter(|(_, y)| y.is_finite())
        .collect();
    let share = finite.len().div_ceil(MOST_POINTS).max(1);
    let means = finite.chunks(share).map(|chunk| {
        let count = chunk.len() as f64;
        let sum = chunk
            .iter()
            .fold((0.0, 0.0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
        (sum.0 / count, sum.1 / count)
    });
    means.collect()
}

/// Round values within a range, and the range that ends with them.
fn ticks([low, high]: [f64; 2]) -> (Vec<f64>, [f64; 2]) {
    let (low, high) = match high > low {
        true => (low, high),
        // One value, or none.
        false if low.is_finite() => (
            low - low.abs().max(1e-9) * 0.1,
            low + low.abs().max(1e-9) * 0.1,
        ),
        false => (0.0, 1.0),
    };
    let rough = (high - low) / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let from = (low / step).floor() as i64;
    let to = (high / step).ceil() as i64;
    let ticks: Vec<f64> = (from..=to).map(|index| index as f64 * step).collect();
    (ticks, [from as f64 * step, to as f64 * step])
}

/// A figure with three digits that count.
pub fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards against curves that leave the chart, and axes that do not hold what is drawn.
    #[test]
    fn ticks_are_round_and_hold_the_curve() {
        assert_eq!(ticks([0.13, 0.97]), (vec![0.0, 0.5, 1.0], [0.0, 1.0]));
        let (marks, [low, high]) = ticks([-3.0, 9.0]);
        assert_eq!((marks.len(), low, high), (4, -5.0, 10.0));
        let (_, [low, high]) = ticks([2.0, 2.0]);
        assert!(low < 2.0 && high > 2.0);
        assert_eq!(ticks([f64::INFINITY, f64::NEG_INFINITY]).1, [0.0, 1.0]);
    }

    #[test]
    fn names_are_escaped_and_gaps_left_out() {
        let curve = |name: &str| Curve {
            name: name.into(),
            points: vec![(0, 1.0), (10, f64::NAN), (20, 3.0)],
        };
        let svg = chart("a<b", &[curve("x&y")], &[]);
        assert!(svg.contains("a&lt;b") && svg.contains("x&amp;y"), "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");
        let crowd = chart("many", &[curve("mean")], &[curve("one"), curve("two")]);
        assert_eq!(crowd.matches("curve crowd").count(), 2);
        assert!(crowd.contains("mean") && !crowd.contains("two"), "{crowd}");
    }
}
