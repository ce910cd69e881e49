//! What reading and looking through a large policy directory costs, as a ratio to parsing the same
//! files as plain YAML with the same library, in the same run.
//!
//! `cargo bench --bench policies` measures 10,000 servers; `-- --servers N --rounds N` others, and
//! `-- --write DIR` writes the directory out instead, to try commands on.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints, of numbers that are far from the limits"
)]

mod generate;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use granit_parser::Parser;
use toolgate::policy::{self, Cores, PolicyFiles};
use toolgate::{access, lint};

/// Linux counts the time of processes in these.
const TICK: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let (mut servers, mut rounds, mut write) = (10_000, 5, None);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} takes a value"));
        match argument.as_str() {
            "--servers" => servers = value()?.parse()?,
            "--rounds" => rounds = value()?.parse()?,
            "--write" => write = Some(value()?),
            // `cargo bench` says so to every benchmark.
            "--bench" => {}
            other => bail!("unknown argument {other}"),
        }
    }
    let files = generate::directory(servers);
    if let Some(directory) = write {
        return write_out(&files, Path::new(&directory));
    }
    let bytes: usize = files.files.iter().map(|file| file.bytes.len()).sum();
    println!(
        "{} files, {:.1} MB, {servers} servers with 3 tools and 5 grants each; {rounds} rounds; \
         {} cores",
        files.files.len(),
        bytes as f64 / 1e6,
        std::thread::available_parallelism()?,
    );
    let now = "2026-11-20T12:00:00Z".parse()?;
    let changed = generate::with_one_change(&files);
    let tasks: [(&str, &dyn Fn(PolicyFiles)); 5] = [
        ("plain YAML, events only, one core", &|files| {
            black_box(events(&files));
        }),
        ("load, one core", &|files| {
            black_box(policy::load(files)).ok();
        }),
        ("load, all cores", &|files| {
            black_box(policy::load_on(files, Cores::All)).ok();
        }),
        ("lint, all cores (load and every rule)", &|files| {
            black_box(lint::lint(files, now));
        }),
        ("load both and compare, one changed", &|files| {
            let load = |files| policy::load_on(files, Cores::All);
            if let (Ok(old), Ok(new)) = (load(files), load(changed.clone())) {
                black_box(access::compare(&old, &new, now)).ok();
            }
        }),
    ];
    // What is compared does its work, and all of it.
    let report = lint::lint(files.clone(), now);
    if let Err(problems) = policy::load(files.clone()) {
        bail!("the directory does not load:\n{problems}");
    }
    println!("lint looked at {} files: {:?}\n", report.files, report.counts());

    let mut measured = vec![Vec::new(); tasks.len()];
    for _ in 0..rounds {
        for ((_, task), measured) in tasks.iter().zip(&mut measured) {
            let files = files.clone();
            let (wall, cpu) = (Instant::now(), cpu_time()?);
            task(files);
            measured.push((wall.elapsed(), cpu_time()?.saturating_sub(cpu)));
        }
    }
    println!(
        "{:40} {:>9} {:>9} {:>11} {:>10}",
        "median", "wall ms", "CPU ms", "wall ratio", "CPU ratio"
    );
    let plain = median(&measured[0]);
    for ((name, _), measured) in tasks.iter().zip(&measured) {
        let (wall, cpu) = median(measured);
        println!(
            "{name:40} {:>9.0} {:>9.0} {:>11.2} {:>10.2}",
            wall.as_secs_f64() * 1e3,
            cpu.as_secs_f64() * 1e3,
            wall.as_secs_f64() / plain.0.as_secs_f64(),
            cpu.as_secs_f64() / plain.1.as_secs_f64(),
        );
    }
    Ok(())
}

fn events(files: &PolicyFiles) -> usize {
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    files.files.iter().map(|file| Parser::new_from_str(text(&file.bytes)).count()).sum()
}

fn median(measured: &[(Duration, Duration)]) -> (Duration, Duration) {
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (wall, cpu) = measured.iter().copied().unzip();
    (middle(wall), middle(cpu))
}

/// The time that all cores together have spent on this process.
fn cpu_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat")?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next().context("/proc/self/stat")?.parse::<u32>().context("ticks");
    Ok(TICK * (ticks()? + ticks()?))
}

fn write_out(files: &PolicyFiles, directory: &Path) -> Result<()> {
    for file in &files.files {
        let path = directory.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, &file.bytes)?;
    }
    println!("{} files are in {}", files.files.len(), directory.display());
    Ok(())
}
