//! What was measured.

use std::time::Duration;

use serde::Serialize;

/// What one stream has seen.
#[derive(Default)]
pub(crate) struct Tally {
    /// Answers that came between begin and end.
    pub(crate) answers: u64,
    /// Of requests that were due between begin and end, in nanoseconds.
    pub(crate) latencies: Vec<u64>,
    /// Requests sent more than a millisecond after they were due.
    pub(crate) late: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        let Self { answers, latencies, late } = other;
        self.answers += answers;
        self.latencies.extend(latencies);
        self.late += late;
    }
}

/// Latencies and CPU times in microseconds.
#[derive(Serialize)]
pub(crate) struct Report {
    answers: u64,
    seconds: f64,
    rps: f64,
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
    late: u64,
    cpu_us: Vec<f64>,
    own_cpu_us: f64,
}

impl Report {
    /// `used` and `own` are in nanoseconds, of each process and of this one.
    pub(crate) fn new(tally: Tally, lasted: Duration, used: &[u64], own: u64) -> Self {
        let Tally { answers, mut latencies, late } = tally;
        latencies.sort_unstable();
        let at = |parts| micros(at(&latencies, parts));
        let seconds = lasted.as_secs_f64();
        let each = |used: u64| round(float(used) / 1000.0 / float(answers));
        Self {
            answers,
            seconds: round(seconds),
            rps: round(float(answers) / seconds),
            p50: at(500),
            p99: at(990),
            p999: at(999),
            max: at(1000),
            late,
            cpu_us: used.iter().map(|used| each(*used)).collect(),
            own_cpu_us: each(own),
        }
    }
}

/// The smallest of the ascending values that at least so many parts of 1,000 do not exceed.
fn at(ascending: &[u64], parts: usize) -> u64 {
    let rank = (ascending.len() * parts).div_ceil(1000);
    ascending.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

fn micros(nanos: u64) -> f64 {
    round(float(nanos) / 1000.0)
}

/// Three digits after the point.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and times of one run are below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        let table: &[(&[u64], usize, u64)] = &[
            (&[], 500, 0),
            (&[7], 0, 7),
            (&[7], 500, 7),
            (&[7], 1000, 7),
            (&[1, 2], 500, 1),
            (&[1, 2], 501, 2),
            (&[1, 2, 3], 500, 2),
            (&hundred, 500, 50),
            (&hundred, 990, 99),
            (&hundred, 991, 100),
            (&hundred, 999, 100),
            (&hundred, 1000, 100),
        ];
        for (values, parts, expected) in table {
            assert_eq!(at(values, *parts), *expected, "{parts} of {} values", values.len());
        }
    }
}
