//! When requests are sent, and which of them are measured.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Mutex;

/// Shared by all streams of a run.
pub(crate) struct Pace {
    /// Open loop: when the next request is due. Streams queue for it.
    schedule: Option<Mutex<Schedule>>,
    began: OnceLock<Instant>,
    ended: OnceLock<Instant>,
}

impl Pace {
    /// Closed loop without `rate`, in requests a second.
    pub(crate) fn new(rate: Option<f64>) -> Result<Self> {
        let schedule = rate.map(Schedule::new).transpose()?.map(Mutex::new);
        Ok(Self { schedule, began: OnceLock::new(), ended: OnceLock::new() })
    }

    /// Waits until another request is due, and says when that was: long ago if all streams were
    /// busy. `None` once no more is due within the run.
    pub(crate) async fn turn(&self) -> Result<Option<Instant>> {
        let Some(schedule) = &self.schedule else {
            return Ok(self.ended.get().is_none().then(Instant::now));
        };
        let mut schedule = schedule.lock().await;
        let due = schedule.due;
        schedule.wait().await?;
        let within = self.ended.get().is_none_or(|ended| due < *ended);
        Ok(within.then_some(due))
    }

    pub(crate) fn open(&self) -> bool {
        self.schedule.is_some()
    }

    /// What comes before is warm-up.
    pub(crate) fn begin(&self) -> Instant {
        *self.began.get_or_init(Instant::now)
    }

    pub(crate) fn end(&self) -> Instant {
        *self.ended.get_or_init(Instant::now)
    }

    /// Whether answers that come now are counted.
    pub(crate) fn counting(&self) -> bool {
        self.began.get().is_some() && self.ended.get().is_none()
    }

    /// Whether the latency of a request is measured that was due then, whenever its answer comes.
    pub(crate) fn measures(&self, due: Instant) -> bool {
        self.began.get().is_some_and(|began| due >= *began)
            && self.ended.get().is_none_or(|ended| due < *ended)
    }
}

/// Requests at equal distances.
struct Schedule {
    due: Instant,
    every: Duration,
    /// Tokio's own timers count in milliseconds.
    timer: Receiver,
}

impl Schedule {
    fn new(rate: f64) -> Result<Self> {
        let every = Duration::try_from_secs_f64(1.0 / rate)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Read like a pipe, which is all that tokio asks of one.
        let timer = Receiver::from_owned_fd_unchecked(timer)?;
        Ok(Self { due: Instant::now(), every, timer })
    }

    /// Waits until `due`, and makes the next one due.
    async fn wait(&mut self) -> Result<()> {
        let ahead = self.due.saturating_duration_since(Instant::now());
        if !ahead.is_zero() {
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let it_value = Timespec {
                tv_sec: i64::try_from(ahead.as_secs())?,
                tv_nsec: i64::from(ahead.subsec_nanos()),
            };
            let once = Itimerspec { it_interval: none, it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            // How often it has gone off, which is once; there is room for more, so that tokio sees
            // that nothing is left to read.
            ensure!(self.timer.read(&mut [0; 16]).await? == 8, "the timer did not go off");
        }
        self.due += self.every;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Pace;

    #[tokio::test]
    async fn an_open_loop_is_due_at_equal_distances_whoever_is_late() {
        let pace = Pace::new(Some(1000.0)).unwrap();
        let first = pace.turn().await.unwrap().unwrap();
        pace.begin();
        for step in 1..=20 {
            if step == 10 {
                std::thread::sleep(Duration::from_millis(5));
            }
            let due = pace.turn().await.unwrap().unwrap();
            assert_eq!(due - first, Duration::from_millis(step));
            assert!(Instant::now() >= due, "{step} was early");
            assert!(pace.measures(due), "{step}");
        }
        assert!(!pace.measures(first));
        let end = pace.end();
        // What was due before the end is still sent, and measured.
        while let Some(due) = pace.turn().await.unwrap() {
            assert!(due < end && pace.measures(due));
        }
        assert!(!pace.counting());
    }

    #[tokio::test]
    async fn a_closed_loop_is_due_at_once_until_the_end() {
        let pace = Pace::new(None).unwrap();
        assert!(!pace.counting());
        pace.begin();
        assert!(pace.counting());
        let before = Instant::now();
        let due = pace.turn().await.unwrap().unwrap();
        assert!(due >= before && pace.measures(due));
        pace.end();
        assert_eq!(pace.turn().await.unwrap(), None);
    }
}
