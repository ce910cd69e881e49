//! What tokens with made-up key identifiers cost everybody else: good tokens at a steady rate, with
//! nothing beside them, with tokens of nobody's issuer beside them, and with tokens whose `kid`
//! nobody knows beside them. In one run, in turns. `cargo bench --bench unknown_keys`;
//! `-- --short` for fewer.
//!
//! Fails if a good token is refused, a bad one accepted, or the keys are fetched more often than
//! once in `refetch_seconds`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod asked;
mod stand;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use self::asked::{Asked, Bad};
use self::stand::{REFETCH, Stand};

/// Good tokens a second.
const GOOD_RATE: u32 = 400;

/// Bad tokens a second.
const BAD_RATE: u32 = 2000;

const ROUNDS: usize = 5;

/// Latencies of good tokens in one phase, in microseconds, ascending.
struct Phase(Vec<f64>);

impl Phase {
    fn at(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index of a short list"
        )]
        let index = ((self.0.len() as f64 - 1.0) * share) as usize;
        self.0.get(index).copied().unwrap_or(f64::NAN)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    // Five rounds of 20,000 are 100,000 unknown keys.
    let seconds = if short { 1 } else { 10 };
    toolgate::authn::install_crypto()?;
    let stand = Stand::start().await?;
    let asked = Arc::new(Asked::new(&stand).await?);
    asked.good(0).await.context("a first good token")?;

    let began = Instant::now();
    let before = stand.fetches();
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let mut phases = [None, Some(Bad::Issuer), Some(Bad::Key)];
        // In another order each time: what drifts shall drift for all of them.
        phases.rotate_left(round % 3);
        let mut measured = Vec::new();
        for bad in phases {
            measured.push((bad, phase(&asked, bad, seconds).await?));
        }
        rounds.push(measured);
    }
    let fetches = stand.fetches() - before;
    let intervals = began.elapsed().as_secs() / REFETCH.as_secs() + 1;
    report(&rounds, seconds);
    println!(
        "{} unknown keys in {:.0} s: {fetches} fetches, of {intervals} allowed",
        ROUNDS as u64 * seconds * u64::from(BAD_RATE),
        began.elapsed().as_secs_f64(),
    );
    ensure!(fetches <= intervals, "the keys were fetched too often");
    Ok(())
}

/// Good tokens at their rate, and bad ones beside them.
async fn phase(asked: &Arc<Asked>, bad: Option<Bad>, seconds: u64) -> anyhow::Result<Phase> {
    let beside = bad.map(|bad| {
        let asked = Arc::clone(asked);
        tokio::spawn(async move {
            at_rate(BAD_RATE, seconds, move |_| {
                let asked = Arc::clone(&asked);
                async move { asked.bad(bad).await }
            })
            .await
        })
    });
    let good = Arc::clone(asked);
    let latencies = at_rate(GOOD_RATE, seconds, move |number| {
        let asked = Arc::clone(&good);
        async move { asked.good(number).await }
    })
    .await?;
    if let Some(beside) = beside {
        beside.await??;
    }
    Ok(Phase(latencies))
}

/// Calls at a steady rate, whatever becomes of those before; latencies count from the moment that
/// each was due.
async fn at_rate<F, C>(rate: u32, seconds: u64, call: C) -> anyhow::Result<Vec<f64>>
where
    C: Fn(u64) -> F,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let began = Instant::now();
    let mut calls = Vec::new();
    for number in 0..u64::from(rate) * seconds {
        let due = began + Duration::from_secs(1) * u32::try_from(number)? / rate;
        tokio::time::sleep_until(due.into()).await;
        let call = call(number);
        calls.push(tokio::spawn(async move { call.await.map(|()| due.elapsed()) }));
    }
    let mut latencies = Vec::new();
    for call in calls {
        latencies.push(call.await??.as_secs_f64() * 1e6);
    }
    latencies.sort_by(f64::total_cmp);
    Ok(latencies)
}

fn report(rounds: &[Vec<(Option<Bad>, Phase)>], seconds: u64) {
    println!("good tokens at {GOOD_RATE} a second, {seconds} s a phase, {ROUNDS} rounds");
    let of = |bad: Option<Bad>, share: f64| -> Vec<f64> {
        let phases = rounds.iter().flatten().filter(|(other, _)| *other == bad);
        phases.map(|(_, phase)| phase.at(share)).collect()
    };
    for (name, bad) in [
        ("nothing beside them", None),
        ("2,000 tokens a second of nobody's issuer", Some(Bad::Issuer)),
        ("2,000 tokens a second of unknown keys", Some(Bad::Key)),
    ] {
        let [half, most] = [0.5, 0.99].map(|share| median(of(bad, share)));
        println!("  {name:<42} p50 {half:>7.0} us   p99 {most:>7.0} us");
    }
    let ratio = |share: f64| {
        let pairs = of(Some(Bad::Key), share).into_iter().zip(of(Some(Bad::Issuer), share));
        median(pairs.map(|(key, issuer)| key / issuer).collect())
    };
    println!(
        "unknown keys against nobody's issuer, median of pairs: p50 {:.2} x, p99 {:.2} x",
        ratio(0.5),
        ratio(0.99)
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
