//! What it costs to look at the clock and to note one duration: once for each unit and reader.

use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Instant;
use weft_histogram::Histogram;

fn note(c: &mut Criterion) {
    let (histogram, began) = (Histogram::default(), Instant::now());
    c.bench_function("note", |b| b.iter(|| histogram.note(began.elapsed())));
}

criterion_group!(benches, note);
criterion_main!(benches);
