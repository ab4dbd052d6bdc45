//! The report as a picture: latency and CPU over the number of streams, or CPU and memory over time where there is one step. Plain
//! SVG of lines and text.

use super::{Report, Step};

/// Of the whole picture, and of the margin around each of its fields, in pixels.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 60.0;
/// Told apart by those who do not see red and green, too.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

/// A line of a field.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// A field of the picture.
struct Field {
    title: &'static str,
    axis: String,
    lines: Vec<Line>,
}

/// The picture.
#[must_use]
pub fn plot(report: &Report) -> String {
    let fields = match &report.steps[..] {
        [step] => over_time(step),
        steps => over_steps(steps),
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let width = WIDTH / fields.len() as f64;
    for (number, field) in fields.iter().enumerate() {
        svg += &draw(field, number as f64 * width, width);
    }
    svg + "</svg>\n"
}

fn over_time(step: &Step) -> Vec<Field> {
    let names = step
        .processes
        .iter()
        .chain([&step.own])
        .map(|cost| cost.name.clone());
    let names: Vec<String> = names.collect();
    let lines = |of: &dyn Fn(usize) -> Vec<(f64, f64)>| {
        let line = |(number, name): (usize, &String)| Line {
            name: name.clone(),
            points: of(number),
        };
        names.iter().enumerate().map(line).collect()
    };
    let cpu = |number: usize| {
        let share = |two: &[super::Tick]| {
            let used = two[1].samples[number].cpu - two[0].samples[number].cpu;
            (two[1].at, used * 100.0 / (two[1].at - two[0].at).max(1e-9))
        };
        step.ticks.windows(2).map(share).collect()
    };
    let memory = |number: usize| {
        let held = |tick: &super::Tick| (tick.at, tick.samples[number].rss_kib as f64 / 1024.0);
        step.ticks.iter().map(held).collect()
    };
    let axis = format!("seconds, {} x {}", step.publishers, step.readers);
    vec![
        Field {
            title: "CPU, % of a core",
            axis: axis.clone(),
            lines: lines(&cpu),
        },
        Field {
            title: "memory, MiB",
            axis,
            lines: lines(&memory),
        },
    ]
}

fn over_steps(steps: &[Step]) -> Vec<Field> {
    // What changes is what is shown: the readers where the publishers stay the same.
    let same = steps.windows(2).all(|two| two[0].publishers == two[1].publishers);
    let x = |step: &Step| (if same { step.readers } else { step.publishers }) as f64;
    let axis = if same {
        "readers of each stream"
    } else {
        "publishers"
    };
    let line = |name: &str, of: &dyn Fn(&Step) -> Option<f64>| Line {
        name: name.to_owned(),
        points: steps
            .iter()
            .filter_map(|step| Some((x(step), of(step)?)))
            .collect(),
    };
    let latency = vec![
        line("p50", &|step| Some(step.latency_ms?.p50)),
        line("p99", &|step| Some(step.latency_ms?.p99)),
    ];
    let processes = steps.first().map(|step| step.processes.len()).unwrap_or_default();
    let mut cpu: Vec<Line> = (0..processes)
        .map(|number| {
            line(&steps[0].processes[number].name, &|step| {
                Some(step.processes.get(number)?.cpu_percent)
            })
        })
        .collect();
    cpu.push(line("weft-load", &|step| Some(step.own.cpu_percent)));
    vec![
        Field {
            title: "latency publish to reader, ms",
            axis: axis.to_owned(),
            lines: latency,
        },
        Field {
            title: "CPU, % of a core",
            axis: axis.to_owned(),
            lines: cpu,
        },
    ]
}

fn draw(field: &Field, left: f64, width: f64) -> String {
    let points = || field.lines.iter().flat_map(|line| &line.points);
    let most = |of: fn(&(f64, f64)) -> f64| nice(points().map(of).fold(0.0, f64::max));
    let (right, top) = (most(|point| point.0), most(|point| point.1));
    let (from, to) = (left + MARGIN, left + width - MARGIN / 2.0);
    let (low, high) = (HEIGHT - MARGIN, MARGIN);
    let at = |(x, y): (f64, f64)| (from + x / right * (to - from), low - y / top * (low - high));
    let text = |x: f64, y: f64, anchor: &str, text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        format!("<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>\n")
    };
    let mut svg = text(left + width / 2.0, 24.0, "middle", field.title);
    svg += &text(left + width / 2.0, HEIGHT - 16.0, "middle", &field.axis);
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let (x, y) = at((right * share, top * share));
        svg += &format!("<path d=\"M{from:.0} {y:.0}H{to:.0}\" stroke=\"#ddd\"/>\n");
        svg += &text(from - 6.0, y + 4.0, "end", &number(top * share));
        svg += &text(x, low + 18.0, "middle", &number(right * share));
    }
    for (line, colour) in field.lines.iter().zip(COLOURS.iter().cycle()) {
        let path = line.points.iter().map(|point| {
            let (x, y) = at(*point);
            format!("{x:.1},{y:.1}")
        });
        let path: Vec<String> = path.collect();
        svg += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            path.join(" ")
        );
    }
    for (place, (line, colour)) in field.lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let y = MARGIN - 18.0;
        let x = from + 110.0 * place as f64;
        svg += &format!("<path d=\"M{x:.0} {y:.0}h16\" stroke=\"{colour}\" stroke-width=\"3\"/>\n");
        svg += &text(x + 20.0, y + 4.0, "start", &line.name);
    }
    svg
}

/// The next number above with one digit that counts, so that a quarter of it is one that people read.
fn nice(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps
        .iter()
        .map(|step| step * power)
        .find(|step| *step >= value * 0.9999)
        .unwrap_or(10.0 * power)
}

fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::example;

    #[test]
    fn steps_are_drawn_over_their_number_and_one_step_over_time() {
        let mut report = example();
        let svg = plot(&report);
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert!(svg.contains("publishers") && svg.contains("p99"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        report.steps.truncate(1);
        let svg = plot(&report);
        assert!(svg.contains("memory, MiB") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn axes_end_at_numbers_that_people_read() {
        assert_eq!(
            [nice(0.0), nice(3.1), nice(10.0), nice(0.07)],
            [1.0, 4.0, 10.0, 0.08]
        );
        assert_eq!([number(2.5), number(100.0), number(0.0)], ["2.5", "100", "0"]);
    }
}
