use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::mpsc as std_mpsc;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::lines::Output;
use super::*;
use crate::config::FileSink;

fn decision(id: usize) -> Arc<Decision> {
    Arc::new(Decision { id: id.to_string(), ..Decision::default() })
}

fn config() -> DecisionsConfig {
    DecisionsConfig { stdout: false, queue: 4, ..DecisionsConfig::default() }
}

/// The ids in lines, each of which must be whole.
fn ids(text: &str) -> Vec<usize> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let id = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record.get("id").unwrap().as_str().unwrap().parse().unwrap()
    };
    text.lines().map(id).collect()
}

/// What becomes of one try to write.
enum Fate {
    Write(usize),
    Fail,
    /// Another file begins.
    Move,
}

/// An output that does as it is told, and then writes everything.
struct Script {
    fates: VecDeque<Fate>,
    file: Arc<Mutex<Vec<u8>>>,
    old: Arc<Mutex<Vec<u8>>>,
    gate: Option<Gate>,
}

/// Says that a write is about to begin, and waits until it may.
struct Gate(std_mpsc::Sender<()>, std_mpsc::Receiver<()>);

impl Output for Script {
    fn prepare(&mut self, _: usize, _: bool) -> io::Result<bool> {
        if let Some(Gate(arrived, open)) = &self.gate {
            arrived.send(()).ok();
            open.recv().ok();
        }
        if let Some(Fate::Move) = self.fates.front() {
            self.fates.pop_front();
            let moved = std::mem::take(&mut *self.file.lock().unwrap());
            self.old.lock().unwrap().extend(moved);
            return Ok(true);
        }
        Ok(false)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match self.fates.pop_front() {
            Some(Fate::Fail) => return Err(io::ErrorKind::StorageFull.into()),
            Some(Fate::Write(count)) => count.min(bytes.len()),
            Some(Fate::Move) | None => bytes.len(),
        };
        self.file.lock().unwrap().extend(&bytes[..count]);
        Ok(count)
    }
}

/// A log with one scripted sink.
struct Scripted {
    log: DecisionLog,
    file: Arc<Mutex<Vec<u8>>>,
    old: Arc<Mutex<Vec<u8>>>,
}

impl Scripted {
    fn new(when_full: WhenFull, fates: Vec<Fate>, gate: Option<Gate>) -> Self {
        let (file, old) = (Arc::default(), Arc::default());
        let mut log = DecisionLog::open(&DecisionsConfig { when_full, ..config() }).unwrap();
        let mut queues = Vec::new();
        let feed = log.feed("file", &mut queues);
        log.queues.store(Some(Arc::new(queues)));
        let script =
            Script { fates: fates.into(), file: Arc::clone(&file), old: Arc::clone(&old), gate };
        lines::spawn(feed, script).unwrap();
        Self { log, file, old }
    }

    fn written(&self) -> Vec<usize> {
        ids(&String::from_utf8(self.file.lock().unwrap().clone()).unwrap())
    }

    fn state(&self) -> SinkState {
        self.log.sinks().remove(0)
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_failing_sink_keeps_what_it_has_and_tries_again() {
    let fates = vec![Fate::Write(5), Fate::Fail, Fate::Fail, Fate::Write(1), Fate::Fail];
    let scripted = Scripted::new(WhenFull::Block, fates, None);
    for id in 0..20 {
        scripted.log.record(&decision(id), false).await.unwrap();
    }
    scripted.log.close(PATIENCE).await;
    assert_eq!(scripted.written(), (0..20).collect::<Vec<_>>());
    let state = scripted.state();
    assert_eq!((state.written, state.dropped, state.failing), (20, 0, None));
}

#[tokio::test]
async fn a_file_that_is_moved_in_the_middle_of_a_line_is_followed_by_one_with_the_whole_line() {
    let fates = vec![Fate::Write(3), Fate::Move];
    let scripted = Scripted::new(WhenFull::Block, fates, None);
    scripted.log.record(&decision(7), false).await.unwrap();
    scripted.log.close(PATIENCE).await;
    assert_eq!(scripted.old.lock().unwrap().len(), 3);
    assert_eq!(scripted.written(), [7]);
}

/// One record is in the thread's hands, four wait, and there is no more room.
async fn full(when_full: WhenFull) -> (Scripted, std_mpsc::Sender<()>) {
    let ((arrive, arrived), (open, opened)) = (std_mpsc::channel(), std_mpsc::channel());
    let scripted = Scripted::new(when_full, Vec::new(), Some(Gate(arrive, opened)));
    scripted.log.record(&decision(0), false).await.unwrap();
    arrived.recv().unwrap();
    for id in 1..5 {
        scripted.log.record(&decision(id), false).await.unwrap();
    }
    assert_eq!(scripted.state().queued, 4);
    (scripted, open)
}

#[tokio::test]
async fn under_drop_a_record_without_room_is_counted_and_the_request_answered() {
    let (scripted, open) = full(WhenFull::Drop).await;
    assert_eq!(scripted.log.record(&decision(5), false).await, Ok(()));
    // A server that asks for it loses no record.
    assert_eq!(scripted.log.record(&decision(6), true).await, Err(Full));
    drop(open);
    scripted.log.close(PATIENCE).await;
    assert_eq!(scripted.written(), [0, 1, 2, 3, 4]);
    let state = scripted.state();
    assert_eq!((state.written, state.dropped, state.denied), (5, 1, 1));
}

#[tokio::test]
async fn under_deny_a_request_whose_record_has_no_room_is_refused() {
    let (scripted, open) = full(WhenFull::Deny).await;
    assert_eq!(scripted.log.record(&decision(5), false).await, Err(Full));
    drop(open);
    scripted.log.close(PATIENCE).await;
    let state = scripted.state();
    assert_eq!((state.written, state.dropped, state.denied), (5, 0, 1));
}

#[tokio::test]
async fn under_block_a_request_waits_and_one_that_is_given_up_is_counted() {
    let (scripted, open) = full(WhenFull::Block).await;
    let fifth = decision(5);
    let waiting = scripted.log.record(&fifth, false);
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    assert_eq!(scripted.state().dropped, 1);
    drop(open);
    scripted.log.record(&decision(6), false).await.unwrap();
    scripted.log.close(PATIENCE).await;
    assert_eq!(scripted.written(), [0, 1, 2, 3, 4, 6]);
}

#[tokio::test]
async fn what_cannot_be_written_by_the_end_is_counted() {
    let fates = (0..10_000).map(|_| Fate::Fail).collect();
    let scripted = Scripted::new(WhenFull::Drop, fates, None);
    for id in 0..3 {
        scripted.log.record(&decision(id), false).await.unwrap();
    }
    scripted.log.close(Duration::from_millis(100)).await;
    let state = scripted.state();
    assert_eq!((state.written, state.dropped), (0, 3));
    assert!(state.failing.is_some());
    assert_eq!(scripted.log.record(&decision(4), true).await, Err(Full), "closed");
}

fn file_log(path: &Path, max_bytes: u64, keep: u32) -> DecisionLog {
    let file = FileSink { path: path.to_owned(), max_bytes, keep };
    let config = DecisionsConfig { file: Some(file), when_full: WhenFull::Block, ..config() };
    DecisionLog::open(&config).unwrap()
}

/// Records one decision and waits until it is written; ids count from 0.
async fn write(log: &DecisionLog, id: usize) {
    log.record(&decision(id), false).await.unwrap();
    while log.sinks()[0].written <= id as u64 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_file_is_rotated_by_size_and_the_oldest_goes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let log = file_log(&path, 60, 2);
    for id in 0..40 {
        write(&log, id).await;
    }
    log.close(PATIENCE).await;
    let mut kept = Vec::new();
    for name in ["decisions.jsonl.2", "decisions.jsonl.1", "decisions.jsonl"] {
        let text = fs::read_to_string(directory.path().join(name)).unwrap();
        kept.extend(ids(&text));
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    assert_eq!(kept.last(), Some(&39));
    assert!(kept.is_sorted() && kept.len() > 5, "{kept:?}");
}

#[tokio::test]
async fn a_file_that_is_removed_or_moved_away_begins_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    let log = file_log(&path, 1_000_000, 2);
    write(&log, 0).await;
    fs::remove_file(&path).unwrap();
    write(&log, 1).await;
    fs::rename(&path, directory.path().join("moved")).unwrap();
    write(&log, 2).await;
    assert_eq!(ids(&fs::read_to_string(directory.path().join("moved")).unwrap()), [1]);
    assert_eq!(ids(&fs::read_to_string(&path).unwrap()), [2]);
    log.close(PATIENCE).await;
}

#[tokio::test]
async fn half_a_line_of_a_killed_process_does_not_spoil_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("decisions.jsonl");
    fs::write(&path, "{\"id\":\"1").unwrap();
    let log = file_log(&path, 1_000_000, 2);
    log.record(&decision(2), false).await.unwrap();
    log.close(PATIENCE).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"id\":\"1\n{\"id\":\"2\"}\n");
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_said_at_once() {
    let file = FileSink { path: "/nowhere/decisions.jsonl".into(), max_bytes: 1, keep: 1 };
    let error = DecisionLog::open(&DecisionsConfig { file: Some(file), ..config() }).unwrap_err();
    insta::assert_snapshot!(error, @"the decision log cannot be opened: /nowhere/decisions.jsonl: No such file or directory (os error 2)");
}

/// What a collector answers to its requests, one after the other; then it takes everything.
#[derive(Clone, Default)]
struct Collector {
    answers: Arc<Mutex<VecDeque<Result<ExportLogsServiceResponse, tonic::Status>>>>,
    taken: Arc<Mutex<Vec<LogRecord>>>,
    /// The id of a record that it will not have, nor anything that comes with it.
    poison: Option<usize>,
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| Ok(ExportLogsServiceResponse::default()));
        if answer.is_ok() {
            let logs = request.into_inner().resource_logs.into_iter();
            let logs = logs.flat_map(|logs| logs.scope_logs).flat_map(|logs| logs.log_records);
            let logs: Vec<_> = logs.collect();
            if logs.iter().any(|record| Some(id(record)) == self.poison) {
                return Err(tonic::Status::invalid_argument("no"));
            }
            self.taken.lock().unwrap().extend(logs);
        }
        answer.map(tonic::Response::new)
    }
}

fn id(record: &LogRecord) -> usize {
    match &record.attributes[0].value.as_ref().unwrap().value {
        Some(AnyKind::StringValue(id)) => id.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A log that exports to the collector, which begins to listen only later.
async fn exporting(collector: Collector) -> DecisionLog {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let url = format!("http://{address}").parse().unwrap();
    let otlp = Some(crate::config::OtlpSink { url, ca: None });
    let log = DecisionLog::open(&DecisionsConfig { otlp, queue: 4096, ..config() }).unwrap();
    log.record(&decision(0), false).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(log.sinks()[0].failing.is_some(), "nobody listens yet");
    let server = tonic::transport::Server::builder().add_service(LogsServiceServer::new(collector));
    tokio::spawn(server.serve(address));
    log
}

#[tokio::test]
async fn a_collector_gets_every_record_however_late_and_unwilling_it_is() {
    let collector = Collector::default();
    *collector.answers.lock().unwrap() = VecDeque::from([
        Err(tonic::Status::unavailable("later")),
        Err(tonic::Status::resource_exhausted("later still")),
    ]);
    let log = exporting(collector.clone()).await;
    for id in 1..1000 {
        log.record(&decision(id), false).await.unwrap();
    }
    log.close(PATIENCE).await;
    let taken = collector.taken.lock().unwrap();
    assert!(taken.iter().all(|record| record.event_name == "toolgate.decision"));
    assert_eq!(taken.iter().map(id).collect::<Vec<_>>(), (0..1000).collect::<Vec<_>>());
    let state = log.sinks().remove(0);
    assert_eq!((state.written, state.dropped, state.failing), (1000, 0, None));
}

#[tokio::test]
async fn what_a_collector_rejects_is_counted_as_dropped() {
    let rejects = ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: 1,
            error_message: "too odd".to_owned(),
        }),
    };
    let collector = Collector::default();
    collector.answers.lock().unwrap().push_back(Ok(rejects));
    let log = exporting(collector).await;
    while log.sinks()[0].dropped == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    log.record(&decision(1), false).await.unwrap();
    log.close(PATIENCE).await;
    let state = log.sinks().remove(0);
    assert_eq!((state.written, state.dropped, state.failing), (1, 1, None));
}

#[tokio::test]
async fn a_record_that_a_collector_will_not_have_takes_no_others_with_it() {
    let collector = Collector { poison: Some(5), ..Collector::default() };
    let log = exporting(collector.clone()).await;
    for id in 1..9 {
        log.record(&decision(id), false).await.unwrap();
    }
    log.close(PATIENCE).await;
    let mut taken: Vec<_> = collector.taken.lock().unwrap().iter().map(id).collect();
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2, 3, 4, 6, 7, 8]);
    let state = log.sinks().remove(0);
    assert_eq!((state.written, state.dropped), (8, 1));
}

#[tokio::test]
async fn what_nobody_takes_by_the_end_is_counted() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap()).parse().unwrap();
    drop(socket);
    let otlp = Some(crate::config::OtlpSink { url, ca: None });
    let log = DecisionLog::open(&DecisionsConfig { otlp, queue: 100, ..config() }).unwrap();
    for id in 0..7 {
        log.record(&decision(id), true).await.unwrap();
    }
    log.close(Duration::from_millis(300)).await;
    let state = log.sinks().remove(0);
    assert_eq!((state.written, state.dropped), (0, 7));
}
