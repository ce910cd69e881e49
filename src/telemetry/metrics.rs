//! Metrics in the `OpenMetrics` text format. Every name stands in [`Metric`], and every label has a
//! bounded set of values: names that the policies in force list, and closed lists.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::decisions::SinkState;
use super::lists::{ListCounts, ListOutcome};
use super::observed::{BundlesState, KeysState, Observed, Revoked, TokenCache};

macro_rules! metrics {
    ($($name:ident = $text:literal, $type:ident, $help:literal;)+) => {
        /// Every metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric {
            $(#[doc = $help] $name,)+
        }

        impl Metric {
            /// Every metric, in the order of the output.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name, without the `_total` that the format adds to counters.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it counts.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)+ }
            }

            fn kind(self) -> MetricType {
                match self { $(Self::$name => MetricType::$type,)+ }
            }
        }
    };
}

metrics! {
    Decisions = "toolgate_decisions", Counter,
        "Requests decided, by server, environment, tool, outcome and reason";
    Invocations = "toolgate_invocations", Counter,
        "Calls of a tool that were let through";
    MinutesSaved = "toolgate_minutes_saved", Counter,
        "Minutes that these calls saved people, by the estimate in the server's policy";
    Duration = "toolgate_decision_duration_seconds", Histogram,
        "Time from a request's arrival at Toolgate to its decision";
    PutUpWith = "toolgate_compatibility", Counter,
        "Requests that break the protocol in a way that is put up with, by switch";
    PolicyInfo = "toolgate_policy_info", Gauge,
        "1, with the digest of the policy set in force";
    PolicyLoaded = "toolgate_policy_loaded_timestamp_seconds", Gauge,
        "When the policy set in force came into force";
    PolicyLooked = "toolgate_policy_looked_timestamp_seconds", Gauge,
        "When the policy directory was looked at last";
    PolicyServers = "toolgate_policy_servers", Gauge,
        "Servers of the policy set in force";
    PolicyReloads = "toolgate_policy_reloads", Counter,
        "Policy sets tried, by result: good, bad, or bans taken from a bad one";
    PolicyProblems = "toolgate_policy_problems", Gauge,
        "Problems of the policy directory as it stands; while there are any, it is not in force";
    PolicyBans = "toolgate_policy_bans_of_bad_sets", Gauge,
        "Guardrail bans in force that come from sets that are not";
    EnvoyFiles = "toolgate_envoy_files_in_step", Gauge,
        "1 if Envoy's routes and clusters are written as the policies say, 0 if not";
    IssuerKeys = "toolgate_issuer_keys", Gauge,
        "Usable keys of an issuer; absent while none are known, or they are stale";
    IssuerKeysLeftOut = "toolgate_issuer_keys_left_out", Gauge,
        "Published keys that verify nothing, by reason; a private one is an emergency";
    IssuerKeysAge = "toolgate_issuer_keys_age_seconds", Gauge,
        "Seconds since an issuer said last that these are its keys";
    IssuerFetches = "toolgate_issuer_key_fetches", Counter,
        "Times that an issuer was asked for its keys, by what came of it";
    IssuerRefetches = "toolgate_issuer_key_refetches", Counter,
        "Times that it was asked because a token named a key that nobody knew";
    BundleKeys = "toolgate_bundle_keys", Gauge,
        "Usable keys of a trust domain's bundle, by kind; absent while they are not known";
    BundlesAge = "toolgate_bundles_age_seconds", Gauge,
        "Seconds since bundles were last seen to be good; beyond 3600 they verify nothing";
    BundlesUpdates = "toolgate_bundles_updates", Counter,
        "Times that bundles changed (good), or that they could not be had (bad)";
    OwnCertificateExpires = "toolgate_certificate_expires_timestamp_seconds", Gauge,
        "When Toolgate's own certificate to Envoy ends; absent while there is none";
    Revoked = "toolgate_revoked", Gauge,
        "Tokens and users that are denied; absent without a deny-list";
    RevokedInStep = "toolgate_revoked_in_step", Gauge,
        "1 if they are those of the deny-list as it stands, 0 if it cannot be read";
    LogQueue = "toolgate_decision_log_queue", Gauge,
        "Decisions that wait to be written";
    LogCapacity = "toolgate_decision_log_queue_capacity", Gauge,
        "How many may wait";
    LogRecords = "toolgate_decision_log_records", Counter,
        "Decisions by what became of their record: written, dropped, or denied with their request";
    LogFailing = "toolgate_decision_log_failing", Gauge,
        "1 while a sink cannot be written to";
    TokenLookups = "toolgate_token_cache_lookups", Counter,
        "User tokens looked up in the cache of verified ones, by result";
    TokensHeld = "toolgate_token_cache_tokens", Gauge,
        "Verified tokens that are kept";
    TokenBytes = "toolgate_token_cache_bytes", Gauge,
        "What they weigh";
    Lists = "toolgate_lists", Counter,
        "Lists in answers, by what became of them: whole, filtered, or refused";
    Resident = "process_resident_memory_bytes", Gauge,
        "Resident memory";
    OpenFiles = "process_open_fds", Gauge,
        "Open file descriptors";
    Started = "process_start_time_seconds", Gauge,
        "When the process started serving";
    Build = "toolgate_build_info", Gauge,
        "1, with the version";
}

/// The limits of the histogram's buckets, in seconds.
const BUCKETS: [f64; 12] =
    [10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 10e-3, 50e-3, 250e-3, 1.0];

/// What is counted where it happens.
#[derive(Debug)]
pub struct Metrics {
    decisions: RwLock<Servers>,
    duration: Histogram,
    /// By switch.
    put_up_with: Mutex<BTreeMap<&'static str, u64>>,
    lists: ListCounts,
}

/// One decision, as it is counted. Names are those of the policies in force, or `other`.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'d> {
    /// The server.
    pub server: &'d str,
    /// Its environment.
    pub environment: &'d str,
    /// The tool, if one is called; else empty.
    pub tool: &'d str,
    /// `allow`, `refuse` or `answer`.
    pub outcome: &'static str,
    /// Why it is refused; else empty.
    pub reason: &'static str,
    /// The estimate for the tool, if it was called.
    pub minutes_saved: Option<u32>,
    /// How long it took.
    pub duration: Duration,
}

/// Counts by server, environment and tool.
type Servers = HashMap<Box<str>, HashMap<Box<str>, HashMap<Box<str>, Series>>>;

type Series = Arc<Mutex<Counts>>;

#[derive(Clone, Debug, Default)]
struct Counts {
    /// By outcome and reason.
    outcomes: BTreeMap<(&'static str, &'static str), u64>,
    invocations: u64,
    minutes_saved: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            decisions: RwLock::default(),
            duration: Histogram::new(BUCKETS),
            put_up_with: Mutex::default(),
            lists: ListCounts::default(),
        }
    }
}

impl Metrics {
    /// Counts a request that breaks the protocol in a way that is put up with.
    pub fn put_up_with(&self, switch: &'static str) {
        let mut counts = self.put_up_with.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(switch).or_default() += 1;
    }

    /// Counts a decision.
    pub fn decided(&self, decided: Decided<'_>) {
        let Decided { server, environment, tool, outcome, reason, minutes_saved, duration } =
            decided;
        self.duration.observe(duration.as_secs_f64());
        let series = self.series(server, environment, tool);
        let mut counts = series.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.outcomes.entry((outcome, reason)).or_default() += 1;
        if let Some(minutes) = minutes_saved {
            counts.invocations += 1;
            counts.minutes_saved += u64::from(minutes);
        }
    }

    /// Counts a list.
    pub fn list(&self, outcome: ListOutcome) {
        self.lists.add(outcome);
    }

    /// Counted so far. Requests share the lock on the map, and wait for each other only where they
    /// are about the same tool.
    fn series(&self, server: &str, environment: &str, tool: &str) -> Series {
        let servers = self.decisions.read().unwrap_or_else(PoisonError::into_inner);
        let known = servers.get(server).and_then(|s| s.get(environment)).and_then(|e| e.get(tool));
        if let Some(series) = known {
            return Arc::clone(series);
        }
        drop(servers);
        let mut servers = self.decisions.write().unwrap_or_else(PoisonError::into_inner);
        let environments = servers.entry(server.into()).or_default();
        let tools = environments.entry(environment.into()).or_default();
        Arc::clone(tools.entry(tool.into()).or_default())
    }

    /// Forgets the counts of what is no longer in force, so that they do not grow for ever.
    pub fn retain(&self, is_listed: impl Fn(&str, &str, &str) -> bool) {
        let mut servers = self.decisions.write().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|server, environments| {
            environments.retain(|environment, tools| {
                tools.retain(|tool, _| is_listed(server, environment, tool));
                !tools.is_empty()
            });
            !environments.is_empty()
        });
    }

    /// Everything, in the `OpenMetrics` text format.
    #[must_use]
    pub fn render(&self, observed: Observed) -> String {
        // Only the map is cloned: requests go on meanwhile.
        let servers = self.decisions.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Snapshot {
            servers,
            duration: self.duration.clone(),
            put_up_with: self.put_up_with.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            lists: self.lists.now(),
            observed,
        }));
        let mut text = String::new();
        // Writing to a string does not fail.
        encode(&mut text, &registry).ok();
        text
    }
}

/// Everything as of one moment.
#[derive(Debug)]
struct Snapshot {
    servers: Servers,
    duration: Histogram,
    put_up_with: BTreeMap<&'static str, u64>,
    lists: Vec<(&'static str, u64)>,
    observed: Observed,
}

/// Label names and values.
type Labels<'l> = Vec<(&'static str, &'l str)>;

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in Metric::ALL {
            self.family(*metric, &mut encoder)?;
        }
        Ok(())
    }
}

impl Snapshot {
    fn family(&self, metric: Metric, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family =
            encoder.encode_descriptor(metric.name(), metric.help(), None, metric.kind())?;
        if metric == Metric::Duration {
            return self.duration.encode(family);
        }
        for (labels, value) in self.samples(metric) {
            let sample = family.encode_family(&labels)?;
            match metric.kind() {
                MetricType::Counter => ConstCounter::new(value).encode(sample)?,
                MetricType::Gauge
                | MetricType::Histogram
                | MetricType::Info
                | MetricType::Unknown => ConstGauge::new(value).encode(sample)?,
            }
        }
        Ok(())
    }

    fn samples(&self, metric: Metric) -> Vec<(Labels<'_>, f64)> {
        let one = |value: f64| vec![(Vec::new(), value)];
        let observed = &self.observed;
        match metric {
            Metric::Decisions => self.decisions(),
            Metric::Invocations => self.calls(|counts| counts.invocations),
            Metric::MinutesSaved => self.calls(|counts| counts.minutes_saved),
            Metric::Duration => Vec::new(),
            Metric::PutUpWith => {
                let sample = |(switch, count): (&&'static str, &u64)| {
                    (vec![("switch", *switch)], number(*count))
                };
                self.put_up_with.iter().map(sample).collect()
            }
            Metric::PolicyInfo => vec![(vec![("digest", &*observed.policy)], 1.0)],
            Metric::PolicyLoaded => one(number(observed.loaded)),
            Metric::PolicyLooked => one(number(observed.looked)),
            Metric::PolicyServers => one(number(observed.servers)),
            Metric::PolicyReloads => {
                let sample = |(result, count): (&'static str, u64)| {
                    (vec![("result", result)], number(count))
                };
                observed.reloads.into_iter().map(sample).collect()
            }
            Metric::PolicyProblems => one(number(observed.problems)),
            Metric::PolicyBans => one(number(observed.bans)),
            Metric::EnvoyFiles => {
                let sample = |in_step| (Vec::new(), f64::from(u8::from(in_step)));
                observed.envoy_files.into_iter().map(sample).collect()
            }
            Metric::IssuerKeys => self.issuers(|keys| keys.usable.map(number)),
            Metric::IssuerKeysLeftOut => self.left_out(),
            Metric::IssuerKeysAge => self.issuers(|keys| keys.age.map(|age| age.as_secs_f64())),
            Metric::IssuerFetches => self.fetches(),
            Metric::IssuerRefetches => self.issuers(|keys| keys.refetches.map(number)),
            Metric::BundleKeys => self.bundle_keys(),
            Metric::BundlesAge => {
                let age = |bundles: &BundlesState| {
                    Some((vec![("kind", bundles.kind)], bundles.age?.as_secs_f64()))
                };
                observed.bundles.iter().filter_map(age).collect()
            }
            Metric::BundlesUpdates => self.bundles_updates(),
            Metric::OwnCertificateExpires => {
                observed.own_certificate_expires.map(number).into_iter().flat_map(one).collect()
            }
            Metric::Revoked => {
                let of = |revoked: Revoked| [("token", revoked.tokens), ("user", revoked.users)];
                let sample = |(kind, count)| (vec![("kind", kind)], number(count));
                observed.revoked.into_iter().flat_map(of).map(sample).collect()
            }
            Metric::RevokedInStep => {
                let sample = |revoked: Revoked| one(f64::from(u8::from(revoked.in_step)));
                observed.revoked.into_iter().flat_map(sample).collect()
            }
            Metric::LogQueue => self.sinks(|sink| number(sink.queued)),
            Metric::LogCapacity => self.sinks(|sink| number(sink.capacity)),
            Metric::LogRecords => self.records(),
            Metric::LogFailing => self.sinks(|sink| f64::from(u8::from(sink.failing.is_some()))),
            Metric::TokenLookups => {
                let TokenCache { hits, misses, .. } = observed.tokens;
                let sample = |(result, count)| (vec![("result", result)], number(count));
                [("hit", hits), ("miss", misses)].map(sample).to_vec()
            }
            Metric::TokensHeld => one(number(observed.tokens.tokens)),
            Metric::TokenBytes => one(number(observed.tokens.bytes)),
            Metric::Lists => {
                let sample =
                    |(outcome, count): &(_, _)| (vec![("outcome", *outcome)], number(*count));
                self.lists.iter().map(sample).collect()
            }
            Metric::Resident => observed.resident.map(number).into_iter().flat_map(one).collect(),
            Metric::OpenFiles => {
                observed.open_files.map(number).into_iter().flat_map(one).collect()
            }
            Metric::Started => one(number(observed.started)),
            Metric::Build => vec![(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)],
        }
    }

    /// Every series, in the order of its names.
    fn series(&self) -> Vec<(Labels<'_>, Counts)> {
        let mut series = Vec::new();
        for (server, environments) in &self.servers {
            for (environment, tools) in environments {
                for (tool, counted) in tools {
                    let counts = counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let labels: Labels<'_> =
                        vec![("server", server), ("environment", environment), ("tool", tool)];
                    series.push((labels, counts));
                }
            }
        }
        series.sort_by(|(a, _), (b, _)| a.cmp(b));
        series
    }

    fn decisions(&self) -> Vec<(Labels<'_>, f64)> {
        let mut samples = Vec::new();
        for (labels, counts) in self.series() {
            for ((outcome, reason), count) in counts.outcomes {
                let mut labels = labels.clone();
                labels.extend([("outcome", outcome), ("reason", reason)]);
                samples.push((labels, number(count)));
            }
        }
        samples
    }

    fn calls(&self, count: impl Fn(&Counts) -> u64) -> Vec<(Labels<'_>, f64)> {
        let called = self.series().into_iter().filter(|(_, counts)| counts.invocations > 0);
        called.map(|(labels, counts)| (labels, number(count(&counts)))).collect()
    }

    fn issuers(&self, value: impl Fn(&KeysState) -> Option<f64>) -> Vec<(Labels<'_>, f64)> {
        let keys = self.observed.keys.iter();
        keys.filter_map(|keys| Some((vec![("issuer", &*keys.issuer)], value(keys)?))).collect()
    }

    fn left_out(&self) -> Vec<(Labels<'_>, f64)> {
        let mut samples = Vec::new();
        for KeysState { issuer, left_out, .. } in &self.observed.keys {
            for (reason, count) in left_out {
                samples.push((vec![("issuer", &**issuer), ("reason", reason)], number(*count)));
            }
        }
        samples
    }

    fn fetches(&self) -> Vec<(Labels<'_>, f64)> {
        let mut samples = Vec::new();
        for KeysState { issuer, fetches, .. } in &self.observed.keys {
            for (result, count) in fetches.iter().flatten() {
                samples.push((vec![("issuer", &**issuer), ("result", result)], number(*count)));
            }
        }
        samples
    }

    fn bundle_keys(&self) -> Vec<(Labels<'_>, f64)> {
        let mut samples = Vec::new();
        for BundlesState { kind, usable, .. } in &self.observed.bundles {
            for (domain, keys) in usable.iter().flatten() {
                let labels = vec![("kind", *kind), ("trust_domain", domain.as_str())];
                samples.push((labels, number(*keys)));
            }
        }
        samples
    }

    fn bundles_updates(&self) -> Vec<(Labels<'_>, f64)> {
        let mut samples = Vec::new();
        for BundlesState { kind, updates, failures, .. } in &self.observed.bundles {
            for (result, count) in [("good", updates), ("bad", failures)] {
                samples.push((vec![("kind", *kind), ("result", result)], number(*count)));
            }
        }
        samples
    }

    fn sinks(&self, value: impl Fn(&SinkState) -> f64) -> Vec<(Labels<'_>, f64)> {
        self.observed.sinks.iter().map(|sink| (vec![("sink", sink.name)], value(sink))).collect()
    }

    fn records(&self) -> Vec<(Labels<'_>, f64)> {
        let mut samples = Vec::new();
        for sink in &self.observed.sinks {
            let outcomes =
                [("written", sink.written), ("dropped", sink.dropped), ("denied", sink.denied)];
            for (outcome, count) in outcomes {
                samples.push((vec![("sink", sink.name), ("outcome", outcome)], number(count)));
            }
        }
        samples
    }
}

/// As the format has it: counts beyond 2^53 are rounded.
#[expect(clippy::cast_precision_loss, reason = "every number of the format is a double")]
fn number(value: impl TryInto<u64>) -> f64 {
    value.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Decided<'_> = Decided {
        server: "presto",
        environment: "prod",
        tool: "run_query",
        outcome: "allow",
        reason: "",
        minutes_saved: Some(8),
        duration: Duration::from_micros(120),
    };

    fn observed() -> Observed {
        Observed {
            policy: "ab".repeat(32),
            loaded: 1_795_176_000,
            looked: 1_795_176_060,
            servers: 6,
            reloads: [("good", 3), ("bad", 1), ("bans", 0)],
            envoy_files: Some(true),
            keys: vec![
                KeysState {
                    issuer: "corp".to_owned(),
                    usable: Some(2),
                    left_out: vec![("private", 1), ("malformed", 0)],
                    age: Some(Duration::from_millis(12_500)),
                    fetches: Some([("ok", 3), ("not_modified", 40), ("failed", 2)]),
                    refetches: Some(1),
                },
                // A file that was never read.
                KeysState { issuer: "partner".to_owned(), ..KeysState::default() },
            ],
            bundles: vec![BundlesState {
                kind: "jwt",
                age: Some(Duration::from_secs(9)),
                usable: Some(vec![("prod.example.com".to_owned(), 2)]),
                updates: 4,
                failures: 1,
            }],
            own_certificate_expires: Some(1_800_000_000),
            revoked: Some(Revoked { tokens: 3, users: 1, in_step: false }),
            tokens: TokenCache { hits: 40, misses: 2, tokens: 2, bytes: 4096 },
            sinks: vec![SinkState {
                name: "file",
                written: 41,
                dropped: 1,
                denied: 0,
                queued: 2,
                capacity: 4096,
                failing: None,
            }],
            started: 1_795_170_000,
            resident: Some(11_000_000),
            open_files: Some(17),
            ..Observed::default()
        }
    }

    #[test]
    fn the_whole_output() {
        let metrics = Metrics::default();
        metrics.decided(CALL);
        metrics.decided(CALL);
        let refused = Decided { outcome: "refuse", minutes_saved: None, ..CALL };
        metrics.decided(Decided { reason: "no_grant", ..refused });
        metrics.decided(Decided { tool: "", reason: "unauthenticated", ..refused });
        metrics.decided(Decided { server: "other", environment: "other", ..refused });
        insta::assert_snapshot!(metrics.render(observed()));
    }

    #[test]
    fn every_metric_is_in_the_output_by_its_name() {
        let text = Metrics::default().render(observed());
        for metric in Metric::ALL {
            assert!(text.contains(&format!("# HELP {} ", metric.name())), "{}", metric.name());
        }
    }

    #[test]
    fn what_is_no_longer_listed_is_forgotten() {
        let metrics = Metrics::default();
        metrics.decided(CALL);
        metrics.decided(Decided { tool: "gone", ..CALL });
        metrics.decided(Decided { server: "gone", ..CALL });
        metrics.retain(|server, _, tool| server == "presto" && tool == "run_query");
        let text = metrics.render(observed());
        assert!(text.contains("run_query") && !text.contains("gone"), "{text}");
    }
}
