//! Records as OTLP logs (OpenTelemetry Protocol 1.x, gRPC).
//!
//! The exporter of the OpenTelemetry SDK drops what its collector does not take, and says so to
//! nobody. This one keeps a batch until the collector has it, so that every record is accounted
//! for; a collector that answers late may get a record twice, with the same `id`.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::Value;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};
use uuid::Uuid;

use super::{Feed, OpenError};
use crate::config::OtlpSink;
use crate::record::{Decision, object, text};

/// One request has this many records at most.
const BATCH: usize = 512;

/// How long a batch is collected.
const LINGER: Duration = Duration::from_millis(200);

const TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// So often a collector may refuse a batch for what is in it.
const REFUSALS: u32 = 3;

/// The event's name in the collector.
const EVENT: &str = "toolgate.decision";

pub(super) struct Exporter {
    client: LogsServiceClient<Channel>,
    resource: Resource,
}

impl Exporter {
    /// Connects once there is something to send: the collector may start later.
    pub(super) fn new(config: &OtlpSink) -> Result<Self, OpenError> {
        let fail = |path: String, reason: String| OpenError { path, reason };
        let address = config.url.to_string();
        let endpoint = Endpoint::from_shared(address.clone())
            .map_err(|error| fail(address.clone(), error.to_string()))?
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT);
        let endpoint = match &config.ca {
            None => endpoint,
            Some(path) => {
                let pem = fs::read(path)
                    .map_err(|error| fail(path.display().to_string(), error.to_string()))?;
                let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
                endpoint.tls_config(tls).map_err(|error| fail(address, error.to_string()))?
            }
        };
        let attribute = |key: &str, value: String| KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(AnyKind::StringValue(value)) }),
            ..KeyValue::default()
        };
        let resource = Resource {
            attributes: vec![
                attribute("service.name", "toolgate".to_owned()),
                attribute("service.version", env!("CARGO_PKG_VERSION").to_owned()),
                attribute("service.instance.id", Uuid::now_v7().to_string()),
            ],
            ..Resource::default()
        };
        Ok(Self { client: LogsServiceClient::new(endpoint.connect_lazy()), resource })
    }

    pub(super) async fn run(self, mut feed: Feed) {
        let mut batch = Vec::new();
        while feed.records.recv_many(&mut batch, BATCH).await > 0 {
            if batch.len() < BATCH && !feed.records.is_closed() {
                let room = BATCH - batch.len();
                let more = feed.records.recv_many(&mut batch, room);
                tokio::time::timeout(LINGER, more).await.ok();
            }
            self.deliver(&mut feed, &batch).await;
            batch.clear();
        }
    }

    /// Sends a batch, however often that takes, until it is told to give up. What a collector will
    /// not have is sent in halves, so that one record takes no others with it.
    async fn deliver(&self, feed: &mut Feed, batch: &[Arc<Decision>]) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if self.deliver_part(feed, part).await.is_err() {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
        }
    }

    async fn deliver_part(&self, feed: &mut Feed, part: &[Arc<Decision>]) -> Result<(), TooMuch> {
        let request = self.request(part);
        let all = part.len() as u64;
        let (mut retry, mut refusals) = (FIRST_RETRY, 0);
        let given_up = loop {
            let mut client = self.client.clone();
            let answer = tokio::select! {
                answer = client.export(request.clone()) => answer,
                _ = feed.give_up.wait_for(|give_up| *give_up) => break all,
            };
            match answer {
                Ok(response) => {
                    let partial = response.into_inner().partial_success.unwrap_or_default();
                    let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0);
                    let words = text(&partial.error_message);
                    let problem = format!("the collector rejected records: {words}");
                    feed.sink.goes((rejected > 0).then_some(problem));
                    break rejected.min(all);
                }
                Err(status) => {
                    feed.sink.goes(Some(words(&status)));
                    refusals += u32::from(is_about_the_content(&status));
                    if refusals >= REFUSALS && part.len() > 1 {
                        return Err(TooMuch);
                    }
                    if status.code() == Code::InvalidArgument && refusals >= REFUSALS {
                        break all;
                    }
                }
            }
            let wait = tokio::time::sleep(retry);
            tokio::select! {
                () = wait => {}
                _ = feed.give_up.wait_for(|give_up| *give_up) => break all,
            }
            retry = (retry * 2).min(LAST_RETRY);
        };
        feed.sink.done(all - given_up, given_up);
        Ok(())
    }

    fn request(&self, batch: &[Arc<Decision>]) -> ExportLogsServiceRequest {
        let scope = InstrumentationScope {
            name: "toolgate.v1.Decision".to_owned(),
            ..InstrumentationScope::default()
        };
        let logs = ScopeLogs {
            scope: Some(scope),
            log_records: batch.iter().map(|decision| log_record(decision)).collect(),
            ..ScopeLogs::default()
        };
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: Some(self.resource.clone()),
                scope_logs: vec![logs],
                ..ResourceLogs::default()
            }],
        }
    }
}

/// A batch that the collector will not have as a whole.
struct TooMuch;

/// Whether sending the same again is unlikely to help. Everything else is tried again, whatever the
/// protocol says: a load balancer in front of the collector answers `UNIMPLEMENTED` and
/// `PERMISSION_DENIED` for a minute of a deployment.
fn is_about_the_content(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::ResourceExhausted | Code::OutOfRange)
}

fn words(status: &Status) -> String {
    format!("the collector answers {:?}: {}", status.code(), text(status.message()))
}

fn log_record(decision: &Decision) -> LogRecord {
    let time = decision.time.unwrap_or_default();
    let nanoseconds = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
    LogRecord {
        time_unix_nano: nanoseconds,
        observed_time_unix_nano: nanoseconds,
        severity_number: SeverityNumber::Info.into(),
        severity_text: "INFO".to_owned(),
        event_name: EVENT.to_owned(),
        attributes: object(decision)
            .into_iter()
            // The record's own time says the same.
            .filter(|(key, _)| key != "time")
            .map(|(key, value)| pair(format!("toolgate.{key}"), value))
            .collect(),
        ..LogRecord::default()
    }
}

fn pair(key: String, value: Value) -> KeyValue {
    KeyValue { key, value: Some(any(value)), ..KeyValue::default() }
}

fn any(value: Value) -> AnyValue {
    let kind = match value {
        Value::Null => None,
        Value::Bool(value) => Some(AnyKind::BoolValue(value)),
        Value::Number(number) => number.as_i64().map(AnyKind::IntValue),
        Value::String(text) => Some(AnyKind::StringValue(text)),
        Value::Array(items) => {
            Some(AnyKind::ArrayValue(ArrayValue { values: items.into_iter().map(any).collect() }))
        }
        Value::Object(object) => {
            let values = object.into_iter().map(|(key, value)| pair(key, value)).collect();
            Some(AnyKind::KvlistValue(opentelemetry_proto::tonic::common::v1::KeyValueList {
                values,
            }))
        }
    };
    AnyValue { value: kind }
}
